// Entry point of the process in which a submitter loads a program: plans one program, replies, and is killed by its parent. Side
// effects of the program's module happen here.

import { connectParent } from '../../src/world/child.ts'
import { asError } from '../../src/base/errors.ts'
import type { LoaderReply } from './loader.ts'
import type { PlanRequest } from './planning.ts'

const parent = connectParent()
const ready = Promise.all([import('./planning.ts'), import('../../src/world/disk.ts')])

parent.onMessage(async message => {
  let reply: LoaderReply
  try {
    const [{ planProgram }, { localDisk: disk }] = await ready
    const request = message as PlanRequest
    Object.assign(globalThis, { [Symbol.for('gristmill.place')]: request.place })
    reply = { planned: await planProgram({ disk }, request) }
  } catch (thrown) {
    const { code, message: text, details } = asError(thrown)
    reply = { error: { code, message: text, details: JSON.parse(JSON.stringify(details)) as Record<string, unknown> } }
  }
  await parent.send(reply)
})
