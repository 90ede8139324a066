// Steps of the console's test: users and their access keys.

import assert from 'node:assert/strict'
import { goTo, picture, says, type Stage } from '../stage.ts'

export async function accessKeys(stage: Stage): Promise<void> {
  const { page } = stage
  await goTo(stage, '/users')
  await page.getByRole('button', { name: 'Add…' }).click()
  await page.getByLabel('Name').fill('<b>ada')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByRole('button', { name: 'New key of <b>ada' }).click()
  await page.getByRole('button', { name: 'Make', exact: true }).click()
  const id = await page.getByLabel('Access key id').inputValue()
  assert.match(await page.getByLabel('Secret').inputValue(), /^\S{20,}$/)
  await picture(stage, 'key', false)
  await page.getByRole('button', { name: 'Done' }).click()
  await page.getByLabel('Secret').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: `Remove the key ${id}` }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await says(page, `Removed the key ${id}`)
}
