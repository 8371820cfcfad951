"""How the reasons for gaps are headed on pages: in the words of reports."""

from reports.events import REASONS as REASONS
