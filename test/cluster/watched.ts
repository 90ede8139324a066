// One cluster for a file of tests about user errors, with a directory for each test. After each test all processes must be alive and
// healthy, and must not have restarted. `watchCluster()` is called once at the top of such a file.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import type { Result, TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

export const bin = join(import.meta.dirname, '../../client/cli/gristmill.js')

export let cluster: TestCluster
/** The test's own directory, in the cluster and below a local one. */
export let area = ''
let dir = ''
let tests = 0

export function watchCluster(): void {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gristmill-bad-'))
    cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_REPLICATION: '2' } })
  })

  afterAll(async () => {
    await cluster?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  beforeEach(async () => {
    area = `/t${++tests}`
    await mkdir(join(dir, area))
    await cluster.ok(['mkdir', area])
  })

  afterEach(async () => {
    for (const member of [cluster.namenode, ...cluster.datanodes]) {
      expect(member.running, `${member.role} is still the process that it was: ${member.errors}`).toBe(true)
      const answer = await fetch(`http://${member.address}/healthz`)
      expect([answer.status, await answer.json()]).toEqual([200, expect.objectContaining({ status: 'ok' })])
    }
    await cluster.ok(['put', '-f', '-', '/well.txt'], 'well')
    expect(await cluster.ok(['cat', '/well.txt'])).toBe('well')
  })
}

export const local = (name: string): string => join(dir, area, name)
export const mill = (...args: string[]): Promise<Result> => cluster.run(args)
export const listing = (): Promise<string> => cluster.ok(['ls', '-R', '-a', area])

export async function program(name: string, body: string): Promise<string> {
  await writeFile(local(name), body)
  return local(name)
}
