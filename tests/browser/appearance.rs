//! The page's appearance: contrast, narrow screens, no script.

use serde_json::{Value, json};

use testkit::Exporter;
use testkit::browser::Browser;

use crate::page::{output, post, stream};
use crate::program;

/// Every visible text with too little contrast to its background, by the rules of WCAG 2 AA.
const FAINT: &str = "(() => {
    const parse = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const [red, green, blue] = color.slice(0, 3).map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.length < 4 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const faint = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.textContent.trim() || !element.checkVisibility() || element.closest('script, noscript, .skip')) continue;
        const style = getComputedStyle(element), size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        const [over, under] = [light(parse(style.color)), light(behind(element))].sort((one, other) => other - one);
        const contrast = (over + 0.05) / (under + 0.05);
        if (contrast < (large ? 3 : 4.5)) faint.push([node.textContent.trim(), contrast.toFixed(2)]);
    }
    return faint;
})()";

/// An exporter with one row of every kind on its page: a missing expected stream, a stalled output, a rejection, and very
/// long names.
fn troubled() -> Exporter {
    let config = "servers: [{name: ems, expect: [gone]}]\nstall: {factor: 1, minimum: 1s}";
    let exporter = program().configured(config);
    let long = "a-very-long-name-without-any-place-to-break-it-".repeat(2);
    let mut late = output(20, "late");
    late["payload"]["hlsSettings"]["chunkLength"] = json!(100);
    let timer = json!({"id": 30, "processId": 7, "type": "timerCreated",
        "payload": {"PID": 7, "timerId": 5, "value": 10, "triggerCount": 0}});
    let rejected = json!({"id": 31, "type": "timerCreated", "payload": {}});
    assert_eq!(post(&exporter, &[stream(1, "cam"), stream(2, &long), output(10, &long), late, timer]), 200);
    assert_eq!(post(&exporter, &[rejected]), 400, "an event without its timer");
    exporter
}

#[test]
fn both_themes_have_enough_contrast_in_every_state() {
    let exporter = troubled();
    let mut browser = Browser::at(exporter.address);
    browser.until("document.querySelectorAll('#outputs tr.bad').length === 1");
    browser.until("document.querySelectorAll('#streams tr.bad').length === 1");
    browser.until("document.querySelectorAll('#rejections li').length === 1");
    browser.run("await page.evaluate(() => { document.getElementById('setup').open = true })");
    let mut backgrounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.run(&format!("await page.emulateMedia({{ colorScheme: '{scheme}' }})"));
        assert_eq!(browser.value(FAINT), json!([]), "{scheme}");
        backgrounds.push(browser.value("getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(backgrounds[0], backgrounds[1]);
    browser.assert_no_errors();
}

#[test]
fn a_phone_needs_no_sideways_scrolling() {
    let exporter = troubled();
    let mut browser = Browser::at(exporter.address);
    browser.until("document.querySelectorAll('#outputs tr.bad').length === 1");
    browser.run("await page.evaluate(() => { document.getElementById('setup').open = true })");
    for width in [320, 390, 700, 1024] {
        browser.run(&format!("await page.setViewportSize({{ width: {width}, height: 844 }})"));
        let needed = browser.value("document.documentElement.scrollWidth");
        assert_eq!(needed, json!(width), "at {width} px");
    }
    browser.assert_no_errors();
}

#[test]
fn without_script_the_page_shows_links() {
    let exporter = troubled();
    let mut browser = Browser::at(exporter.address);
    let links = browser.run(&format!(
        "const plain = await context.browser().newContext({{ javaScriptEnabled: false }});
         const bare = await plain.newPage();
         await bare.goto('http://{}/');
         const visible = await bare.locator('noscript a').first().isVisible();
         return [visible, await bare.locator('noscript a').count(), await bare.locator('.scripted').isVisible()]",
        exporter.address
    ));
    assert_eq!(links, json!([true, 8, false]));
    let policy = exporter.get("/", &[]);
    let policy = policy.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    let nothing: Vec<Value> = Vec::new();
    assert_eq!(browser.run("return takeErrors()"), json!(nothing));
}
