"""The distribution's own index, made with a network and asked without one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheelhouse.building.runner import Runner
from wheelhouse.cli.workbench import open_engine
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.events import SilentReporter
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.finding import DistributionFinder
from wheelhouse.missing import Missing
from wheelhouse.store import Store
from wheelhouse.targets import Target, presets

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from test_finding_ranking import is_right, pairs

pytestmark = pytest.mark.containers
