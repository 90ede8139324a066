// Load generator: 64 clients in one process, each with one request at a time. usage: node load.ts '{json}' with LoadPlan.
// The same code loads the empty route and the namenode, so that its own cost is on both sides of the ratio.

import { Pool } from 'undici'

export interface LoadPlan {
  readonly address: string
  readonly headers: Record<string, string>
  readonly path: string
  /** `%d` is replaced by the request's number. */
  readonly body: string
  readonly requests: number
  readonly first: number
}

const plan = JSON.parse(process.argv[2]!) as LoadPlan
const clients = 64
const pool = new Pool(`http://${plan.address}`, { connections: clients, pipelining: 1 })
const parts = plan.body.split('%d')
const headers = { 'content-type': 'application/json', ...plan.headers }
let next = plan.first
const last = plan.first + plan.requests

async function client(): Promise<void> {
  while (next < last) {
    const body = parts.join(String(next++))
    const reply = await pool.request({ method: 'POST', path: plan.path, headers, body })
    const text = await reply.body.text()
    if (reply.statusCode !== 200) throw new Error(`${plan.path} answered ${reply.statusCode}: ${text}`)
  }
}

const started = performance.now()
await Promise.all(Array.from({ length: clients }, client))
const seconds = (performance.now() - started) / 1000
console.log(JSON.stringify({ perSecond: plan.requests / seconds, seconds }))
await pool.close()
