// A home for each test, with commands that run in it, clusters of `up`, and servers started one by one. All processes of a home end with
// its test.

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { localMachine } from '../../src/world/machine.ts'
import { Member, type Result } from '../kit/cluster.ts'
import { runHere as run } from './inprocess.ts'

export const bin = join(import.meta.dirname, '../../client/cli/gristmill.js')

export interface Up {
  namenode: string
  dir: string
  secretFile: string
  console?: string
  processes: { role: string; id: string; address: string; pid: number; dir: string }[]
}

export let home: string
export let env: Record<string, string>
export const members: Member[] = []

/** Each test of the calling file has a home of its own, whose processes end with it. */
export function eachInAHome(): void {
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'gristmill-processes-'))
    env = { PATH: process.env['PATH'] ?? '', HOME: home, GRISTMILL_HOME: home, NO_COLOR: '1', GRISTMILL_INLINE_BYTES: '0' }
  })
  afterEach(async () => {
    if (existsSync(join(home, 'cluster.json')) || existsSync(join(home, 'starting.json'))) await run(['down'], env)
    await Promise.all(members.splice(0).map(member => member.end()))
    await rm(home, { recursive: true, force: true })
  })
}

export const mill = (...args: string[]): Promise<Result> => run(args, env)

export const ok = async (...args: string[]): Promise<string> => {
  const result = await run(args, env)
  if (result.code !== 0) throw new Error(`gristmill ${args.join(' ')} exited with ${result.code}: ${result.stderr}`)
  return result.stdout
}

export const up = async (...args: string[]): Promise<Up> => JSON.parse(await ok('up', '--detach', '--json', ...args)) as Up

export const member = (role: 'namenode' | 'datanode', name: string, args: string[] = [], more: Record<string, string> = {}): Member => {
  const one = new Member(role, join(home, name), args, { ...env, ...more })
  members.push(one)
  return one
}

/** A zombie does not count as alive. */
export const lives = (pid: number): boolean => localMachine.born(pid) !== undefined
