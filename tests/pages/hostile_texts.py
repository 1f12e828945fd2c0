"""Texts that try to become part of a page, and the elements that pages may have."""

TRICKS = (
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "</title></pre></textarea><svg onload=alert(1)>",
    "\u202egnp.exe",
    "&lt;b&gt;",
)
TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "link",
    "script",
    "body",
    "header",
    "main",
    "footer",
    "nav",
    "section",
    "aside",
}
TAGS |= {"a", "div", "span", "h1", "h2", "h3", "h4", "h5", "p", "ul", "ol", "li", "dl", "dt", "dd", "strong", "b"}
TAGS |= {"form", "label", "input", "button", "select", "option", "textarea", "datalist", "fieldset", "legend", "time"}
TAGS |= {
    "details",
    "summary",
    "pre",
    "code",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "svg",
    "g",
    "path",
    "rect",
    "text",
    "tspan",
    "mark",
}
