"""Use-cases of plans: preview, create, read, propose, and the days of a step."""

from app.domain.engine import PlanTooLarge, RangeTooLong
from app.domain.plans.step_changes import ContradictoryChange
from app.persistence.plans.records import (
    PlanChangedMeanwhile,
    PlanFilter,
    PlanIdentifierTaken,
    PlanNotFound,
    PlanSummary,
    PlanView,
    RevisionNotFound,
    StepView,
)
from app.persistence.protocols import NoActiveVersion, ProtocolNotFound, VersionNotFound
from app.services.plans.bulk import (
    AskedPlan,
    MadePlan,
    NewPlan,
    OvertakenMeanwhile,
    Patterns,
    create_plans,
)
from app.services.plans.changing import change_plan, preview_change
from app.services.plans.history import Revision, list_revisions, read_revision
from app.services.plans.loading import LocationNotNamed, VersionNotUsable
from app.services.plans.planning import (
    InvalidPlan,
    PlannedPlan,
    ScheduleConflict,
)
from app.services.plans.posting import InvalidChange
from app.services.plans.proposing import (
    NoAnchorToPropose,
    Proposals,
    propose_plans,
)
from app.services.plans.reading import (
    JudgedDay,
    ReadPlan,
    StepNotFound,
    StepNotMovable,
    judge_step_day,
    list_plans,
    list_step_days,
    read_plan,
)
from app.services.plans.rechecking import Rechecked, look_at_plan, recheck_patient
from app.services.plans.redating import ChangedPlan
from app.services.plans.starting import create_plan, preview_plan
from app.services.plans.starts import Start, open_starts
from app.services.plans.unstored import preview_document
from app.services.plans.views import view_of_planned

__all__ = [
    "AskedPlan",
    "ChangedPlan",
    "ContradictoryChange",
    "InvalidChange",
    "InvalidPlan",
    "JudgedDay",
    "LocationNotNamed",
    "MadePlan",
    "NewPlan",
    "NoActiveVersion",
    "NoAnchorToPropose",
    "OvertakenMeanwhile",
    "Patterns",
    "PlanChangedMeanwhile",
    "PlanFilter",
    "PlanIdentifierTaken",
    "PlanNotFound",
    "PlanSummary",
    "PlanTooLarge",
    "PlanView",
    "PlannedPlan",
    "Proposals",
    "ProtocolNotFound",
    "RangeTooLong",
    "ReadPlan",
    "Rechecked",
    "Revision",
    "RevisionNotFound",
    "ScheduleConflict",
    "Start",
    "StepNotFound",
    "StepNotMovable",
    "StepView",
    "VersionNotFound",
    "VersionNotUsable",
    "change_plan",
    "create_plan",
    "create_plans",
    "judge_step_day",
    "list_plans",
    "list_revisions",
    "list_step_days",
    "look_at_plan",
    "open_starts",
    "preview_change",
    "preview_document",
    "preview_plan",
    "propose_plans",
    "read_plan",
    "read_revision",
    "recheck_patient",
    "view_of_planned",
]
