// Steps of the console's test: links and sessions. A link logs in once; a page of another origin can do nothing in a user's name, although
// the browser sends it the cookie; a page whose session has ended says so.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { goTo, linkOf, millOf, openPage, says, type Stage } from '../stage.ts'

export async function login({ page, url, cluster, browser, errors }: Stage): Promise<void> {
  const link = await linkOf({ cluster, url })
  const begun = performance.now()
  await page.goto(link)
  await page.locator('.health').waitFor()
  console.log(`  first page after ${Math.round(performance.now() - begun)} ms`)
  assert.equal(page.url(), `${url}/`)
  const [cookie] = await page.context().cookies()
  assert.equal(`${cookie?.httpOnly} ${cookie?.sameSite} ${await page.evaluate('document.cookie')}`, 'true Strict ')
  const thief = await openPage(await browser.newContext(), errors)
  await thief.goto(link)
  await says(thief, /the link was used before/)
  // A new link in the same tab differs behind the # only.
  await thief.goto(await linkOf({ cluster, url }))
  await thief.locator('.health').waitFor()
  assert.equal(thief.url(), `${url}/`)
  await thief.getByRole('button', { name: 'Log out' }).click()
  await says(thief, 'You have logged out.')
  await thief.goto(`${url}/jobs`)
  await says(thief, 'gristmill console')
  await thief.context().close()
}

/** Asks for changes in every way that a page has: scripts, a form, a picture, a frame. */
const attack = (url: string): string => `<!doctype html><title>other site</title>
<img src="${url}/api/live?after=0"><iframe src="${url}/"></iframe>
<form id="form" method="post" enctype="text/plain" target="frame" action="${url}/api/call/namespace.delete"><input name='{"path":"/data","x":"' value='"}'></form>
<iframe name="frame"></iframe>
<script>
document.getElementById('form').submit()
const post = (path, options) => fetch('${url}' + path, { method: 'POST', credentials: 'include', body: '{"path":"/data","recursive":true}', ...options })
const all = [post('/api/call/namespace.delete', { mode: 'no-cors' }), post('/api/call/namespace.delete', {}), post('/api/logout', { mode: 'no-cors' }),
  post('/api/sql/rows', { mode: 'no-cors', body: '{"sql":"drop table x"}' }), fetch('${url}/api/session', { credentials: 'include' }),
  fetch('${url}/api/content?path=/forged', { method: 'PUT', mode: 'cors', credentials: 'include', body: 'x' })]
Promise.all(all.map(one => one.then(answer => answer.type, () => 'refused'))).then(found => { document.title = found.join() })
</script>`

/** Ports of one host are one site to a browser: it sends the cookie, and only the origin tells the pages apart. */
export async function forgery(stage: Stage): Promise<void> {
  const { page, url } = stage
  const server = createServer((_, answer) => { answer.setHeader('content-type', 'text/html'); answer.end(attack(url)) })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const other = await page.context().newPage()
  const answers: string[] = []
  other.on('response', response => {
    if (response.url().startsWith(`${url}/api/`)) answers.push(`${response.request().method()} ${response.status()}`)
  })
  try {
    const { address, port } = server.address() as AddressInfo
    await other.goto(`http://${address}:${port}/`)
    await other.waitForFunction('document.title.includes(",")')
    assert.equal(await other.title(), Array(6).fill('refused').join())
    console.log(`  answers to another site: ${answers.join(', ')}`)
    assert.ok(answers.length > 0)
    assert.deepEqual(answers.filter(answer => !/ (403|401|400|405)$/.test(answer)), [])
    // A frame of the console shows nothing.
    for (const frame of other.frames()) if (frame !== other.mainFrame()) assert.equal(await frame.locator('main').count(), 0)
  } finally {
    await other.close()
    server.close()
  }
  const mill = await millOf(stage)
  try {
    assert.deepEqual([await mill.exists('/data'), await mill.exists('/forged')], [true, false])
  } finally {
    await mill.close()
  }
  await goTo(stage, '/')
  await says(page, 'Live')
}

export async function endedSession(stage: Stage): Promise<void> {
  const { page, url } = stage
  await goTo(stage, '/jobs')
  const other = await page.context().newPage()
  await other.goto(`${url}/nodes`)
  await other.getByRole('button', { name: 'Log out' }).click()
  await says(other, 'gristmill console')
  await other.close()
  // The page that waits for news hears of it with the next answer.
  await says(page, 'gristmill console')
  await page.goto(await linkOf(stage))
  await page.locator('.health').waitFor()
}
