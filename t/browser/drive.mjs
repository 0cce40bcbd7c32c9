/*
 * Chromium for t/lib/Test/Recovery/Browser.pm: reads one command a line, does
 * it, answers with one line.  { "do": NAME, ... } is answered by { "value" }
 * or { "error" }.  argv: the browser, as root or not.
 */

import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [executablePath, ...args] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url)
    .resolve('axe-core/axe.min.js'), 'utf8');

let browser, context, page, seen, lie;


const isPoll = (request) => request.url().includes('format=json');


/* What must not happen is noted, by whatever way it comes. */

function watch() {
    seen = { problems: [], requests: [], last: null, open: 0, most: 0 };

    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) {
            seen.problems.push(message.text());
        }
    });
    page.on('pageerror', (e) => seen.problems.push(String(e)));

    page.on('request', (request) => {
        seen.requests.push(request.url());

        if (isPoll(request)) {
            seen.open++;
            seen.most = Math.max(seen.most, seen.open);
        }
    });
    page.on('requestfailed', (request) => {
        seen.open -= isPoll(request);
    });
    page.on('requestfinished', async (request) => {
        const at = seen;

        seen.open -= isPoll(request);

        if (isPoll(request)) {
            const body = await (await request.response()).text()
                .catch(() => null);

            at.last = body ?? at.last;
        }
    });
}


/* Answers in the place of the server: a body, a status, none at all. */

async function answer(route) {
    if (!lie) {
        return route.continue();
    }

    if (lie.abort) {
        return route.abort();
    }

    if (lie.hang) {
        return undefined;
    }

    return route.fulfill({ status: lie.status ?? 200, body: lie.body ?? '',
                           contentType: lie.type ?? 'application/json' });
}


const commands = {

    async open(o) {
        browser ??= await chromium.launch({ executablePath, args });
        await context?.close();
        lie = o.lie ?? null;
        context = await browser.newContext({
            viewport: { width: o.width ?? 1280, height: o.height ?? 900 },
            javaScriptEnabled: o.js ?? true,
            colorScheme: o.dark ? 'dark' : 'light',
            reducedMotion: o.calm ? 'reduce' : 'no-preference',
        });
        page = await context.newPage();
        page.setDefaultTimeout(15000);
        watch();
        await page.route('**/*format=json', answer);
        await page.goto(o.url, { waitUntil: 'load' });
    },

    eval: ({ code }) => page.evaluate(code),
    lie: (o) => { lie = o.none ? null : o; },
    seen: () => ({ ...seen }),
    press: ({ key }) => page.keyboard.press(key),
    click: ({ on }) => page.click(on),
    hover: ({ on, x, y }) => page.hover(on, { position: { x, y } }),
    back: () => page.goBack(),
    size: ({ width, height }) => page.setViewportSize({ width, height }),
    media: (o) => page.emulateMedia(o),
    tree: () => page.locator('body').ariaSnapshot(),
    version: async () => {
        browser ??= await chromium.launch({ executablePath, args });
        return browser.version();
    },

    async shot({ file, full }) {
        await page.screenshot({ path: file, fullPage: full ?? true });
    },

    async axe() {
        await page.evaluate(axe);

        const { violations, passes } = await page.evaluate(
            'axe.run(document, { resultTypes: ["violations"] })');

        return {
            passes: passes.length,
            violations: violations.map(({ id, help, nodes }) => `${id}: `
                + `${help}: ${nodes.map((node) => node.html).join(' ')}`),
        };
    },

    async close() {
        await browser?.close();
        process.exit(0);
    },
};


for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let reply;

    try {
        reply = { value: await commands[command.do](command) ?? null };

    } catch (e) {
        reply = { error: String(e.message ?? e) };
    }

    process.stdout.write(`${JSON.stringify(reply)}\n`);
}

await browser?.close();
