// Applies each definition on standard input by encender and writes what it made.
import { applyPlan } from 'encender';
import { readFileSync } from 'node:fs';

const { definitions, resources } = JSON.parse(readFileSync(0, 'utf8'));
const resolver = (reference) => {
  if (!reference) return resources;
  const [url] = reference.split('|');
  return resources.filter((one) => one.url === url || `${one.resourceType}/${one.id}` === url);
};
const made = {};
for (const [name, definition] of Object.entries(definitions)) {
  try {
    made[name] = await applyPlan(definition, 'Patient/example', resolver, {});
  } catch (error) {
    made[name] = String(error.message ?? error);
  }
}
process.stdout.write(JSON.stringify(made), () => process.exit(0));
