// Calls of a process that drives a program to an overloaded namenode.

import { expect, test } from 'vitest'
import type { Cluster } from '../../../../client/call/cluster.ts'
import { patient } from '../../../../client/driving/overload.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { fullNamenode } from '../../../../src/base/exhaustion.ts'
import { submit } from '../../../../src/protocol/job.ts'

const full = new GristmillError('OVERLOADED', 'ann has 3 jobs')

function calling(answers: readonly (GristmillError | 'taken')[]) {
  const told: string[] = []
  const pauses: number[] = []
  let asked = 0
  const cluster = {
    ask: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)]!
      if (answer !== 'taken') throw answer
      return answer
    },
    clock: { mono: () => 0, sleep: async (ms: number) => { pauses.push(ms) } },
    random: { float: () => 1 },
  } as unknown as Cluster
  const call = (signal?: AbortSignal) => patient(cluster, why => told.push(why)).ask(submit, { spec: {} as never }, signal)
  return { call, told, pauses, asked: () => asked }
}

test('a call that is refused because the namenode is overloaded is made again until it is taken, and the reason is told once', async () => {
  const { call, told, pauses, asked } = calling([...Array.from({ length: 50 }, () => full), 'taken'])
  await expect(call()).resolves.toBe('taken')
  expect([asked(), told, pauses.length, Math.max(...pauses)]).toEqual([51, ['ann has 3 jobs'], 50, 2_000])
})

test('a full disk of the namenode is waited for, too', async () => {
  const disk = new GristmillError('ENOSPC', 'the disk is full', { details: { ...fullNamenode } })
  const { call, told, asked } = calling([disk, disk, 'taken'])
  await expect(call()).resolves.toBe('taken')
  expect([asked(), told]).toEqual([3, ['the disk is full']])
})

test.each<GristmillError>([
  new GristmillError('UNAVAILABLE', 'no answer'), new GristmillError('ENOSPC', 'none of the 3 live datanodes can take a block'),
])('another failure is final: $message', async away => {
  const { call, told, asked } = calling([full, away])
  await expect(call()).rejects.toBe(away)
  expect([asked(), told]).toEqual([2, ['ann has 3 jobs']])
})

test('an abort ends the wait', async () => {
  const { call } = calling([full])
  const controller = new AbortController()
  const waits = call(controller.signal)
  controller.abort(new GristmillError('JOB_CANCELLED', 'the program was cancelled'))
  await expect(waits).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
})
