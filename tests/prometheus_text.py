"""What stands on a page of metrics."""

from prometheus_client.parser import text_string_to_metric_families


def lines(page: str) -> list[str]:
    """The lines that are no comment: one for each series."""
    return [line for line in page.splitlines() if line and not line.startswith("#")]


def total(page: str, name: str, **labels: str) -> float:
    """The sum of the samples of one name that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
