// Works with a FHIR server as an integrator would: by a stock client, told nothing but where it is.
// Reads what it needs from standard input, writes what it was answered.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client } from 'fhir-kit-client';
import { SignJWT, importJWK } from 'jose';

const known = JSON.parse(readFileSync(0, 'utf8'));
const client = new Client({ baseUrl: known.base });
const told = {};

// Discover.
const statement = await client.capabilityStatement();
told.version = statement.fhirVersion;
const { tokenUrl } = await client.smartAuthMetadata();

// Authorize with private_key_jwt.
const assertion = await new SignJWT({ jti: randomUUID() })
  .setProtectedHeader({ alg: 'ES384', typ: 'JWT', kid: known.key.kid })
  .setIssuer(known.client)
  .setSubject(known.client)
  .setAudience(String(tokenUrl))
  .setIssuedAt()
  .setExpirationTime('4m')
  .sign(await importJWK(known.key, 'ES384'));
const answer = await fetch(tokenUrl, {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    scope: known.scope,
  }),
});
const token = await answer.json();
told.scope = token.scope;
client.bearerToken = token.access_token;

// Apply.
const applied = await client.operation({
  name: '$apply',
  resourceType: 'PlanDefinition',
  id: known.definition,
  input: known.parameters,
});
told.applied = applied.contained
  .filter((one) => one.resourceType === 'ServiceRequest')
  .map((one) => one.extension.find((part) => part.url.endsWith('planned-date')).valueDate);

// Read.
const plan = await client.read({ resourceType: 'CarePlan', id: known.plan });
told.activities = plan.activity.length;

// Page.
told.pages = 0;
told.requests = [];
let page = await client.search({
  resourceType: 'ServiceRequest',
  searchParams: { 'patient.identifier': known.identifier, _count: 5, _sort: 'date' },
});
while (page) {
  told.pages += 1;
  told.requests.push(...page.entry.map((one) => one.resource.id));
  page = await client.nextPage({ bundle: page });
}

// Subscribe.
const subscription = await client.create({
  resourceType: 'Subscription',
  body: {
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'the record shows visits',
    criteria: 'Appointment',
    channel: { type: 'rest-hook', endpoint: known.hook },
  },
});
told.subscribed = subscription.status;

// Update with If-Match, first with a version that is gone.
const visit = await client.read({ resourceType: 'Appointment', id: known.step });
const booked = { ...visit, status: 'booked', start: known.start, end: known.end };
const update = (version) =>
  client.update({
    resourceType: 'Appointment',
    id: visit.id,
    body: booked,
    options: { headers: { 'If-Match': `W/"${version}"` } },
  });
told.stale = await update('77').catch((error) => error.response.status);
told.booked = (await update(visit.meta.versionId)).status;

process.stdout.write(JSON.stringify(told), () => process.exit(0));
