"""Where a notice leads to: the dashboard, under the address that GROUNDSWELL_PUBLIC_URL says people reach it at."""

from urllib.parse import quote

from groundswell.channels import Kind
from groundswell.notify.notice import Notice


def link(public_url: str, notice: Notice) -> str:
    """Empty where nobody said what the address is, or nothing there tells of the matter."""
    if not public_url or not notice.cascade:
        return ""
    cascade = f"{public_url}/ui/cascades/{quote(notice.cascade)}"
    kind = notice.routed_as
    if kind is Kind.ENDED:
        return cascade
    if notice.count == 1 and kind in (Kind.FAILED, Kind.REJECTED, Kind.ROLLED_BACK, Kind.APPROVAL):
        return f"{cascade}/images/{quote(notice.subjects[0])}"
    return cascade
