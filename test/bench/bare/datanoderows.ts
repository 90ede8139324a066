// Rows of the bench `pauses` for a datanode: its messages, HTTP routes and block transfers, each at its largest allowed input.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { logFile } from '../../../datanode/shuffle/paths.ts'
import { jsonBytesMax } from '../../../src/block/frame.ts'
import { attemptId, blockId, blockName, jobId, type Address, type ClusterId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { MiB } from '../../../src/base/units.ts'
import type { Net } from '../../../src/ports/net.ts'
import * as task from '../../../src/protocol/task.ts'
import * as transfer from '../../../src/protocol/transfer.ts'
import type { Caller } from '../../../src/rpc/call.ts'
import { BlockTokens } from '../../../src/rpc/token.ts'
import { Wires } from '../../../src/file/wires.ts'
import { systemClock } from '../../../src/world/clock.ts'

export interface DatanodeRows {
  measure(what: string, work: (time: number) => Promise<unknown>, times?: number): Promise<void>
  readonly net: Net
  readonly caller: Caller
  readonly cluster: ClusterId
  readonly at: Address
  readonly dir: string
}

export async function datanodeRows({ measure, net, caller, cluster, at, dir }: DatanodeRows): Promise<void> {
  // No namenode of the bench assigns ids this high, so it does not touch these blocks.
  const first = 2 ** 45
  const tokens = new BlockTokens({ secret: Buffer.alloc(32, 7), clock: systemClock })
  const url = (block: number): string => `http://${at}/v1/block/${blockName(blockId(block))}`
  const bearer = (mode: 'read' | 'write', block: number): Record<string, string> => ({
    authorization: `Bearer ${tokens.issue({ mode, block: blockId(block) })}`,
  })
  const bytes = Buffer.alloc(256 * MiB, 'x')
  await measure('PUT /v1/block, 256 MiB', async time => {
    const answer = await fetch(url(first + time), {
      method: 'PUT', body: bytes,
      headers: { ...bearer('write', first + time), 'content-type': 'application/octet-stream' },
    })
    if (answer.status !== 201) throw new Error(await answer.text())
  })
  await measure('GET /v1/block, 256 MiB', async () => { await (await fetch(url(first), { headers: bearer('read', first) })).arrayBuffer() })
  await measure('transfer.local', () =>
    caller.call(at, transfer.local, { block: blockId(first), token: tokens.issue({ mode: 'read', block: blockId(first) }) }),
  )
  const attempt = attemptId({ job: jobId('job-1'), stage: 0, task: 0, attempt: 0 })
  const { path } = logFile(dir, attempt)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '\u20ac'.repeat(limits.taskLogBytesMax / 3))
  await measure('task.log, 1 MiB', () => caller.call(at, task.log, { attempt, offset: 0, limit: MiB }))
  await measure('GET /healthz and /metrics', async () => {
    await (await fetch(`http://${at}/healthz`)).text()
    await (await fetch(`http://${at}/metrics`)).text()
  })

  const wires = new Wires({ net, caller, clock: systemClock })
  /** Sends one request over a wire of its own, and reads replies until an error or the end. */
  const ask = async (value: unknown): Promise<void> => {
    const { channel } = await wires.take(at, { fresh: true })
    try {
      await channel.request(value)
      for (;;) {
        const received = await channel.receive()
        if (!received || received.kind !== 'reply' || (received.value as { op: string }).op === 'error') return
      }
    } finally {
      channel.wire.destroy()
    }
  }
  const job = jobId('job-1')
  await measure(`${transfer.transferPath}, a request for 100,000 map outputs`, () =>
    ask({
      op: 'shuffle', cluster, job, partition: 0, token: tokens.issue({ mode: 'shuffle', job }),
      attempts: Array.from({ length: 100_000 }, (_, i) => attemptId({ job, stage: 0, task: i, attempt: 0 })),
    }),
  )
  await measure(`${transfer.transferPath}, a request of 4 MiB of empty lists`, () =>
    ask({ op: 'read', more: Array.from({ length: (jsonBytesMax - 100) / 3 }, () => []) }),
  )
}
