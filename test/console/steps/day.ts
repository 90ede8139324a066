// Step of the console's test: a page that is left open does not grow. Its news, of five hours or with `--large` of a day, come from a
// server in the page itself, as fast as the page takes them.

import assert from 'node:assert/strict'
import type { CDPSession } from 'playwright-core'
import { until } from '../../kit/cluster.ts'
import { goTo, openPage, type Stage } from '../stage.ts'

/** A sample of the charts every ten seconds. */
const [newsOfHours, newsOfDay] = [1_800, 8_640]
/** The charts are full, and the code of the page is compiled. */
const newsBefore = 600
/** Compiled code and caches of the browser are a quarter of it. Samples of five hours that were kept would be more. */
const slackBytes = 192 * 1024

/** Answers the long poll of the page with news of another ten seconds: numbers, a job that comes and one that goes. */
const manyNews = `{
const real = window.fetch
let base
window.told = 0
window.fetch = async (url, init) => {
  if (!String(url).startsWith('/api/live')) return real(url, init)
  base ??= await (await real('/api/live?after=0&from=0', init)).json()
  while (window.told >= (window.wanted ?? 0)) await new Promise(resolve => setTimeout(resolve, 20))
  // The page draws before it hears more.
  await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)))
  const count = ++window.told
  const atMs = base.status.nowMs + count * 10000
  const work = count % 50
  const job = { ...base.jobs[0], job: 'job-' + (1000 + count), name: 'job ' + count, state: count % 2 === 0 ? 'running' : 'succeeded', version: count }
  return Response.json({
    ...base, version: count, jobs: [job, ...base.jobs], status: { ...base.status, nowMs: atMs, blocks: count, jobsRunning: work },
    samples: [{ atMs, tasks: work, usedBytes: count * 1024, unhealthy: work, rates: { readBytes: work, writtenBytes: work, attempts: work } }],
  })
}
}`

async function sizeOf(session: CDPSession): Promise<{ readonly bytes: number; readonly nodes: number }> {
  for (let i = 0; i < 3; i++) await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  const { nodes } = await session.send('Memory.getDOMCounters')
  return { bytes: usedSize, nodes }
}

export async function longDay(stage: Stage): Promise<void> {
  const page = await openPage(stage.page.context(), stage.errors)
  await page.addInitScript(manyNews)
  await page.goto(stage.url)
  const session = await page.context().newCDPSession(page)
  const take = async (count: number): Promise<void> => {
    await page.evaluate(`window.wanted = ${count}`)
    await until(`${count} news`, async () => await page.evaluate('window.told') === count, 600_000)
  }
  await take(newsBefore)
  await page.locator('.health').waitFor()
  const before = await sizeOf(session)
  const more = stage.isLarge ? newsOfDay : newsOfHours
  await take(newsBefore + more)
  const after = await sizeOf(session)
  console.log(`  ${more} news: from ${before.bytes} to ${after.bytes} bytes, from ${before.nodes} to ${after.nodes} nodes`)
  assert.ok(after.bytes - before.bytes < slackBytes, 'the page has grown')
  assert.ok(after.nodes - before.nodes < 100, 'the document has grown')
  await page.close()
  await goTo(stage, '/')
}
