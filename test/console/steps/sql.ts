// Steps of the console's test: a query, its completion, chart, export and plan; one that is cancelled, and one that fails.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { SqlExplanation } from '../../../client/index.ts'
import { goTo, picture, says, type Stage } from '../stage.ts'

/** A plan of several stages, which a query over small files does not have. */
const measured = { rows: 7, bytesIn: 8192, bytesOut: 512, bytesLocal: 4096, seconds: 1.5, failedAttempts: 0 }
const dividedPlan: SqlExplanation = {
  place: 'job', text: 'result: <b>\n',
  stages: [
    {
      name: 'groups', tasks: 3, sources: [], sql: '', columns: [], measured,
      inputs: [{ kind: 'table', table: '/data/<i>', columns: ['a'], all: false }],
    },
    {
      name: 'result', tasks: 1, sources: [0], sql: '', columns: [], measured, gathered: 'median over all rows',
      inputs: [{ kind: 'stage', stage: 0, how: 'exchange by hash' }],
    },
  ],
}

export async function queries(stage: Stage): Promise<void> {
  const { page } = stage
  await goTo(stage, '/sql')
  const editor = page.getByLabel('Query in SQL')
  await editor.fill("SELECT id % 7 AS day, sum(amount) AS amount, '<img src=x onerror=alert(4)>' AS \"<b>\" FROM '/data/ev")
  // Typing asks for completion; a text that is filled in does not.
  await editor.press('End')
  await editor.pressSequentially('e')
  await page.getByRole('option', { name: '/data/events.jsonl' }).waitFor()
  await editor.press('Escape')
  await editor.fill(`SELECT "user", count(*) AS events, '<img src=x onerror=alert(4)>' AS "<b>" FROM '/data/events.jsonl' GROUP BY ALL ORDER BY 1`)
  await editor.press('Control+Enter')
  await says(page, '17 rows')
  await says(page, '<img src=x onerror=alert(4)>')
  await picture(stage, 'sql')
  await page.getByRole('button', { name: 'Chart' }).click()
  await page.locator('.sqlchart rect').first().waitFor()
  assert.equal(await page.locator('.sqlchart rect').count(), 17)
  await picture(stage, 'sql-chart')
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()])
  assert.equal((await readFile(await download.path(), 'utf8')).trim().split('\n').length, 18)
  await page.getByRole('button', { name: 'Explain' }).click()
  await says(page, /in this process/)
  await page.route('**/api/sql/plan', route => {
    assert.deepEqual(JSON.parse(route.request().postData()!), { sql: 'SELECT 1', analyze: true })
    return route.fulfill({ json: dividedPlan })
  })
  await editor.fill('SELECT 1')
  await page.getByRole('button', { name: 'Analyze' }).click()
  await says(page, 'reads: exchange by hash')
  await says(page, '1.5 s · 7 rows out')
  await says(page, '8.0 KiB in, 50 % local')
  await picture(stage, 'sql-plan')
  await page.unroute('**/api/sql/plan')
  await editor.fill('SELECT * FROM range(1000000000) a, range(1000000000) b ORDER BY hash(a.range, b.range) LIMIT 1')
  await page.getByRole('button', { name: 'Run' }).click()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await says(page, 'The query was cancelled')
  await editor.fill("SELECT * FROM '/data/none.csv' -- <script>alert(5)</script>")
  await page.getByRole('button', { name: 'Run' }).click()
  await page.getByRole('alert').waitFor()
}
