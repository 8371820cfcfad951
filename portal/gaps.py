"""How the reasons for gaps are headed; the kinds are those of `agent.events`, the detail says the rest."""

REASONS = {
    "agent_stopped": "Agent stopped",
    "host_down": "Host down",
    "suspended": "Suspended",
    "clock_set": "Clock set",
    "late": "Late",
    "samples_dropped": "Samples dropped",
    "samples_refused": "Samples refused",
}
"""Kind of event -> words for people. An unknown kind is shown by its name."""
