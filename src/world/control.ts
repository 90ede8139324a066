// Control of a process by the test that started it, over the channel between a Node parent and its child: no other process can send
// messages, and it works only with GRISTMILL_TEST_KIT=1. The process ends with its test.

import { asError, GristmillError } from '../base/errors.ts'
import type { Trigger } from '../ports/failpoints.ts'
import { localDisk } from './disk.ts'
import { ArmedFailpoints, parseFailpoints, type Armed } from './failpoints.ts'
import { FaultyDisk, standStill, type DiskFault } from './faulty.ts'

/** The first message: failpoints and faults that are in force from the start. */
export interface Begin { readonly kind: 'begin'; readonly armed: readonly Armed[]; readonly faults: readonly DiskFault[] }

export type ControlRequest =
  | { readonly kind: 'arm'; readonly armed: Armed }
  /** Disarms failpoints and releases held callers. */
  | { readonly kind: 'disarm' }
  | { readonly kind: 'spoil'; readonly fault: DiskFault }
  | { readonly kind: 'healDisks' }
  /** Blocks the event loop for this time. */
  | { readonly kind: 'stall'; readonly ms: number }
  | { readonly kind: 'trigger'; readonly what: Trigger }

/** Replies carry the id of the request. */
export interface ControlMessage { readonly id: number; readonly ask: ControlRequest }
export interface ControlReply { readonly id: number; readonly error?: string }

export interface TestHold { readonly failpoints: ArmedFailpoints; readonly disk: FaultyDisk }

/** Resolves once the test has sent the initial state. Throws CONFIG_INVALID unless tests are enabled for this process. */
export async function takeHold(): Promise<TestHold> {
  const { GRISTMILL_TEST_KIT: kit, GRISTMILL_FAILPOINTS: text = '' } = process.env
  if (kit !== '1')
    throw new GristmillError(
      'CONFIG_INVALID',
      'GRISTMILL_FAILPOINTS makes a process fail on purpose; it is for tests, which set GRISTMILL_TEST_KIT=1 beside it',
    )
  const failpoints = new ArmedFailpoints(parseFailpoints(text))
  const disk = new FaultyDisk(localDisk)
  // Started by hand, with variables only.
  if (!process.send) return { failpoints, disk }
  process.once('disconnect', () => { process.kill(process.pid, 'SIGKILL') })
  await new Promise<void>(resolve => {
    process.on('message', (message: Begin | ControlMessage) => {
      if (!('kind' in message)) return void answer(message, { failpoints, disk })
      for (const armed of message.armed) failpoints.arm(armed)
      for (const fault of message.faults) disk.add(fault)
      resolve()
    })
  })
  return { failpoints, disk }
}

async function answer({ id, ask }: ControlMessage, held: TestHold): Promise<void> {
  let error: string | undefined
  try {
    await carryOut(ask, held)
  } catch (thrown) {
    error = asError(thrown).message
  }
  if (process.connected) process.send!({ id, ...error !== undefined && { error } } satisfies ControlReply)
}

async function carryOut(ask: ControlRequest, { failpoints, disk }: TestHold): Promise<void> {
  switch (ask.kind) {
    case 'arm': return failpoints.arm(ask.armed)
    case 'disarm': return failpoints.heal()
    case 'spoil': return disk.add(ask.fault)
    case 'healDisks': return disk.heal()
    case 'stall': return standStill(ask.ms)
    case 'trigger': return failpoints.trigger(ask.what)
  }
}
