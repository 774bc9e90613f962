"""XML that stores are sent."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from connectors.s3.documents import NAMESPACE, Element
from connectors.s3.payloads import AccessControl, Grant

INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
TYPE = f"{{{INSTANCE}}}type"


def write(name: str, children: Iterable[tuple[str, str | Iterable[tuple[str, str]]]]) -> bytes:
    """A document of a root whose children are texts or hold texts; ValueError for what no XML can hold."""
    root = _start(name)
    for child, content in children:
        element = etree.SubElement(root, child)
        if isinstance(content, str):
            element.text = content
        else:
            for inner, text in content:
                etree.SubElement(element, inner).text = text
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def write_tags(tags: Iterable[tuple[str, str]]) -> bytes:
    root = _start("Tagging")
    tag_set = etree.SubElement(root, "TagSet")
    for key, value in tags:
        tag = etree.SubElement(tag_set, "Tag")
        etree.SubElement(tag, "Key").text = key
        etree.SubElement(tag, "Value").text = value
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def write_access_control(access: AccessControl) -> bytes:
    root = _start("AccessControlPolicy")
    owner = etree.SubElement(root, "Owner")
    etree.SubElement(owner, "ID").text = access.owner_id
    grants = etree.SubElement(root, "AccessControlList")
    for each in access.grants:
        grant = etree.SubElement(grants, "Grant")
        grantee = etree.SubElement(grant, "Grantee", nsmap={"xsi": INSTANCE})
        kind, name, text = _name_grantee(each)
        grantee.set(TYPE, kind)
        etree.SubElement(grantee, name).text = text
        etree.SubElement(grant, "Permission").text = each.permission
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def can_hold(text: str) -> bool:
    """True for a text that XML can hold: no control characters but tab and line ends, no surrogates."""
    try:
        etree.Element("text").text = text
    except ValueError:
        return False
    return True


def _name_grantee(grant: Grant) -> tuple[str, str, str]:
    if grant.id is not None:
        return "CanonicalUser", "ID", grant.id
    if grant.uri is not None:
        return "Group", "URI", grant.uri
    return "AmazonCustomerByEmail", "EmailAddress", grant.email or ""


def _start(name: str) -> Element:
    return etree.Element(name, nsmap={None: NAMESPACE})  # type: ignore[dict-item]  # the default namespace has no name
