"""Opens a page in Debian's Chromium, without scripts of the page, on a screen of so many pixels.

    width.py URL PIXELS

It prints the width that the page takes.
"""

import sys
import tempfile

from selenium import webdriver

FLAGS = ["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def main(url, pixels, shot=None):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        try:
            screen = {"width": int(pixels), "height": 800, "deviceScaleFactor": 1, "mobile": True}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            driver.get(url)
            print(driver.execute_script("return document.documentElement.scrollWidth"))
            if shot:
                driver.save_screenshot(shot)
        finally:
            driver.quit()


main(*sys.argv[1:])
