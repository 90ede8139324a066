// Steps of the console's test: a gateway that is killed and comes back, and a datanode that dies.

import { goTo, picture, says, serve, type Stage } from '../stage.ts'

export async function lostConnection(stage: Stage): Promise<void> {
  const { page, cluster } = stage
  await goTo(stage, '/')
  await says(page, 'Live')
  await stage.gateway.end('SIGKILL')
  await says(page, 'The connection is lost.')
  await says(page, 'It is not known whether all is well')
  await page.getByRole('link', { name: 'Files', exact: true }).click()
  await says(page, 'The console does not answer')
  stage.gateway = (await serve(cluster, Number(new URL(stage.url).port))).gateway
  await page.getByText('The connection is lost.').waitFor({ state: 'detached' })
  await says(page, 'Live')
  // What could not be asked meanwhile is asked again by itself.
  await page.getByRole('link', { name: 'data/' }).waitFor()
}

export async function killedNode(stage: Stage): Promise<void> {
  const { page, cluster } = stage
  await goTo(stage, '/')
  await says(page, 'All is well')
  await cluster.datanodes[0]!.kill()
  await says(page, /is (late|dead)\./)
  await says(page, /is dead\./)
  await picture(stage, 'dead-node')
}
