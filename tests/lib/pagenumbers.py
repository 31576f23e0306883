#!/usr/bin/env python3
"""The numbers of a page of `wbuild inspect --html`, as JSON, in the shape that this gives for the
report of `wbuild inspect --format json`:  pagenumbers.py page.html | pagenumbers.py --report x.json
"""
import html.parser
import json
import re
import sys

VOID = {"meta", "rect", "br", "link"}


class Page(html.parser.HTMLParser):
    """Also refuses what a browser would forgive: elements that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], []
        self.digest, self.images = "", []
        self.total = self.row = self.cell = None

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in a:
            self.ids.append(a["id"])
        if tag == "a":
            self.links.append(a["href"])
        if "script" in (tag, *a) or any(k.startswith("on") for k in a) or "src" in a:
            sys.exit(f"the page runs or loads something: {tag} {a}")
        image = self.images[-1] if self.images else None
        if tag == "section":
            self.images.append({"totals": {}, "layers": [], "sources": [], "files": []})
        elif "data-total" in a:
            self.total = a["data-total"]
        elif tag == "tr":
            self.row = {"of": a.get("class"), "data": [], "code": [], "titles": []}
        elif tag == "data" and self.total:
            image["totals"][self.total], self.total = int(a["value"]), None
        elif tag == "data":
            self.row["data"].append(int(a["value"]))
        elif tag == "code" and self.row:
            self.row["titles"].append(a.get("title"))
            self.row["code"].append("")
        elif "data-platforms" in a:
            self.row["platforms"] = int(a["data-platforms"])

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            sys.exit(f"</{tag}> closes something else, at {self.getpos()}")
        if tag == "tr" and self.row["of"]:
            self.take()
            self.row = None

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_data(self, data):
        if self.open and self.open[-1] == "code" and self.row and self.row["code"]:
            self.row["code"][-1] += data

    def take(self):
        r, image = self.row, self.images[-1]
        if r["of"] == "layer":
            image["layers"].append([r["data"][0], r["platforms"], r["titles"][-1]])
        elif r["of"] == "source":
            image["sources"].append([*r["data"], *r["code"][:2]])
        elif r["of"] == "file":
            sha = next((t for t in r["titles"] if t), None)
            image["files"].append([r["data"][0] if r["data"] else None, r["code"][0], sha])


def of_page(text):
    page = Page()
    page.feed(text)
    page.close()
    lost = [k for k in page.links if not k.startswith("#") or k[1:] not in page.ids]
    if page.open or lost or len(set(page.ids)) != len(page.ids):
        sys.exit(f"open: {page.open}, links that lead nowhere: {lost}, or an id twice")
    if re.search(r"url\(|@import|https?:", text):
        sys.exit("the page names something elsewhere")
    return page.images


def of_report(report):
    return [{
        "totals": {k: v for k, v in i["totals"].items() if k != "links"},
        "layers": [[k["size"], k["platforms"], k["digest"]] for k in i["layers"]],
        "sources": [[s["bytes"], s["files"], s["source"], s["mount"]] for s in i["sources"]],
        "files": [[f.get("size"), f["path"], f.get("sha256")] for f in i["files"]],
    } for i in report["images"]]


def main():
    if sys.argv[1] == "--report":
        with open(sys.argv[2], encoding="utf-8") as f:
            images = of_report(json.load(f))
    else:
        with open(sys.argv[1], encoding="utf-8") as f:
            images = of_page(f.read())
    for image in images:
        image["files"].sort(key=lambda k: k[1])
    print(json.dumps(images, indent=1, sort_keys=True))


main()
