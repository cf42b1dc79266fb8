"""Every figure of a protocol in words, with its sources."""

from app.domain.documents import parse_protocol
from app.domain.documents.figures import figures, to_confirm
from tests.domain.given_checks import exactly
from tests.domain.given_documents import after, document, sample, step


def test_figures_are_told_in_words_with_their_sources() -> None:
    found = {figure.id: figure for figure in figures(parse_protocol(sample("protocol-format-1")))}

    assert found["primer.timing"].text == (
        "Primer: not before 5 weeks before, best 3 weeks before, not after 2 weeks before"
    )
    assert found["primer.timing"].sources == ("trial", "cfg")
    assert found["primer.repeat"].text == "Primer: 0 to 3 times, usually 2"
    assert found["primer.spacing"].text.endswith("; none: best 14 days before")
    assert found["booster.timing"].text.startswith("Booster: six_weeks: not before 40 days after")
    assert found["followup.timepoints"].text.startswith("Follow-up: m3: not before 77 days after")
    assert found["followup.minutes"].pointer == "/steps/9/timepoints"
    assert found["session.minutes"].text == "Session: 180 minutes"
    assert found["session.segments"].text == "Session: draw 15 minutes, injection 40 minutes"
    assert found["nsaid_free.span"].text == "No anti-inflammatory medicines: lasts 28 days"
    assert found["consult.timing"].text.startswith("Consultation: not before 3 days after")
    assert "(open days)" in found["consult.timing"].text
    assert found["steroid.after"].text == "steroid: no corticosteroid_injection 4 weeks after"
    assert found["not-too-long.offset"].text == "not-too-long: at most 42 days"
    assert found["apart.offset"].text == "apart: at least 2 weeks"
    assert found["primers.max"].text == "Primers: max 3"
    assert found["booster.options"].text == "Booster: six_weeks, eight_weeks, none"


def test_an_exact_day_is_called_so() -> None:
    data = document(step("a"), step("b", timings=after("a", **exactly("P10D"))))

    (figure,) = figures(parse_protocol(data))

    assert figure.text == "Step b: exactly 10 days after"


def test_a_washout_before_alone_is_one_figure() -> None:
    washout = {"id": "w", "type": "washout", "agent": "nsaid", "before": "P14D"}

    (figure,) = figures(parse_protocol(document(rules=[washout])))

    assert (figure.id, figure.text) == ("w.before", "w: no nsaid 14 days before")


def test_defaults_are_to_be_confirmed() -> None:
    found = to_confirm(parse_protocol(sample("protocol-format-1")))

    names = [figure.id for figure in found]
    assert "primer.timing" in names
    assert "primers.default" in names
    assert "primers.max" not in names
