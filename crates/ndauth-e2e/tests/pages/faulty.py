"""Shows to the checks a page with every fault that they look for. Reports what they found."""

from attacks import another_site
from checks import Checks
from chromium import chromium
from installation import Installation

FAULTY = """
<nav><a href="/x">Somewhere</a></nav>
<main><h1>Faulty</h1>
<script>document.title = 'a script'</script>
<img src="https://example.org/picture.png" alt="">
<p style="width: 700px">Too wide</p>
<a href="/y" style="outline: none">No focus</a>
<a href="/z" tabindex="3">Out of order</a>
<a href="/?secret=ndpat_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA">A secret</a>
<details><summary>Folded</summary><p style="color: #ccc; background: #fff">Too pale</p></details>
<p><div>Not valid</p>
</main>
"""


def main():
    at = Installation()
    checks = Checks(at.facts["packages"], at.facts["folder"])
    policy = "default-src 'none'; style-src 'self' 'unsafe-inline'"
    with chromium() as browser, another_site(FAULTY, {"content-security-policy": policy}) as urls:
        browser.driver.get(urls[0])
        browser.driver.get(urls[0] + "?secret=ndpat_" + "A" * 43)
        checks.examine("faulty", browser)
    checks.validate()
    at.report(faults=checks.faults)


main()
