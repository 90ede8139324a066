// Steps of the console's test: a job that fails, one that is killed, one that runs again.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ServerProcess } from '../../kit/process/server.ts'
import { copiedCsv, goTo, openPage, picture, says, type Stage } from '../stage.ts'

/** Waits in its map function until it is killed. */
const slow = `import { mapReduce } from 'gristmill'
export default mapReduce({
  input: { format: 'lines' },
  async map(line, context) { console.log('<b>waits</b>'); await new Promise(resolve => setTimeout(resolve, 3_600_000)) },
  reduce() {},
})
`

const failing = `import { mapReduce } from 'gristmill'
export default mapReduce({
  input: { format: 'lines' },
  map(line) { throw new Error('cannot read <script>alert(2)</script>') },
  reduce() {},
})
`

const counting = `import { mapReduce } from 'gristmill'
export default mapReduce({
  input: { format: 'lines' },
  map(line, emit) { emit('lines', 1) },
  reduce(key, values, emit) { let sum = 0; for (const one of values) sum += one; emit(key, sum) },
})
`

export async function jobs(stage: Stage): Promise<void> {
  const { page, dir, cluster } = stage
  for (const [name, text] of [['slow', slow], ['failing', failing]] as const) await writeFile(join(dir, `${name}.ts`), text)
  await goTo(stage, '/jobs?q=wordcount')
  await page.getByRole('link', { name: 'wordcount' }).last().click()
  await says(page, /Locality of map: [1-9]\d* tasks? on a node/)
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    await picture(stage, `job-${colorScheme}`)
  }
  await goTo(stage, '/jobs')
  const input = ['--input', '/data/events.jsonl']
  const start = (name: string) => cluster.run(['run', '--detach', join(dir, `${name}.ts`), ...input, '--output', `/${name}`])
  const [, failed] = await Promise.all([says(page, 'failing'), start('failing')])
  assert.equal(failed.code, 0, failed.stderr)
  await page.getByRole('link', { name: 'failing', exact: true }).click()
  await says(page, /cannot read <script>alert\(2\)<\/script>/)
  await says(page, /failing\.ts:4/)
  await cluster.run(['run', join(dir, 'failing.ts'), '--name', '<img src=x onerror=alert(7)>', ...input, '--output', '/<i>out'])
  await goTo(stage, '/jobs?state=failed')
  await page.getByRole('link', { name: '<img src=x onerror=alert(7)>', exact: true }).click()
  await says(page, '/<i>out')
  await start('slow')
  await goTo(stage, '/jobs?state=running')
  await page.getByRole('link', { name: 'slow', exact: true }).click()
  await says(page, 'running')
  await page.getByText('running', { exact: true }).nth(1).waitFor()
  // Empty where the table shows no value: the task still runs.
  const tasks = await copiedCsv(page, 'tasks')
  assert.match(tasks, /^Task,State,Attempts,Datanode,Locality,Bytes in,Took\nmap 0,running,1,[^,]+,\w+,\d*,\n/)
  assert.match(await copiedCsv(page, 'stages'), /^Stage,State,Tasks,.*,Took\nmap,running,0 of 1,.*,\nreduce,waiting,0 of \d+,.*,\n$/s)
  await page.getByRole('button', { name: 'Kill…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Kill' }).click()
  await says(page, 'cancelled')
  await says(page, 'not run')
  assert.match(await copiedCsv(page, 'stages'), /\nmap,killed,0 of 1,.*,\d+\nreduce,not run,0 of \d+,.*,\n$/s)
  await page.getByRole('button', { name: 'Attempts and log' }).first().click()
  await says(page, '<b>waits</b>')
}

/** A console of one user's own, which starts programs; a gateway does not. */
export async function rerun({ browser, cluster, dir, errors }: Stage): Promise<void> {
  await writeFile(join(dir, 'lines.ts'), counting)
  await cluster.ok(['run', join(dir, 'lines.ts'), '--input', '/data/events.jsonl', '--output', '/lines'])
  const own = new ServerProcess({ role: 'console', args: ['--port', '0'], env: cluster.env })
  try {
    const { link } = await own.ready() as unknown as { readonly link: string }
    const page = await openPage(await browser.newContext(), errors)
    await page.goto(link)
    await page.locator('.health').waitFor()
    await page.getByRole('link', { name: 'lines', exact: true }).first().click()
    const first = page.url()
    await page.getByRole('button', { name: 'Run again…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click()
    await page.waitForURL(url => /\/jobs\/job-/.test(url.pathname) && url.href !== first)
    await says(page, 'succeeded')
    await page.getByRole('table', { name: 'distribution of tasks' }).locator('svg.bars').first().waitFor()
    assert.equal((await cluster.ok(['cat', '/lines/*'])).trim(), 'lines\t3000')
    await page.context().close()
  } finally {
    await own.end('SIGTERM')
  }
}
