// Queues of jobs, as an operator declares them: `etl:3,adhoc:1:4` is the queue etl with the weight 3, and adhoc with the weight 1 and at
// most 4 tasks at a time. The queue `default` is there in any case, for jobs that name none.

import { GristmillError } from './errors.ts'

export interface JobQueue {
  readonly name: string
  /** Share of the slots, in relation to those of the other queues that have tasks. */
  readonly weight: number
  /** Tasks of its jobs that run at the same time. */
  readonly slotsMax: number | undefined
}

export const defaultQueue = 'default'
export const queueNameMax = 64
const queuesMax = 100
/** Highest priority of a job within its queue, and as a negative number the lowest. */
export const priorityMax = 100

const namePattern = /^[\p{L}\p{N}_.-]+$/u

/** Throws EINVAL for a text that declares no queue. */
export function parseQueues(texts: readonly string[]): JobQueue[] {
  const queues = texts.map(text => {
    const [name = '', weight = '1', slotsMax, ...others] = text.split(':')
    const isWhole = (given: string, max: number): boolean => /^\d+$/.test(given) && Number(given) >= 1 && Number(given) <= max
    if (!namePattern.test(name) || name.length > queueNameMax || others.length > 0 || !isWhole(weight, 1000)
      || slotsMax !== undefined && !isWhole(slotsMax, 1_000_000))
      throw new GristmillError('EINVAL', `${JSON.stringify(text)} is not a queue: NAME, NAME:WEIGHT or NAME:WEIGHT:TASKS, such as etl:3 or adhoc:1:4`)
    return { name, weight: Number(weight), slotsMax: slotsMax === undefined ? undefined : Number(slotsMax) }
  })
  const twice = queues.find(({ name }, i) => queues.findIndex(other => other.name === name) < i)
  if (twice) throw new GristmillError('EINVAL', `the queue ${twice.name} is declared twice`)
  if (queues.length > queuesMax) throw new GristmillError('EINVAL', `${queues.length} queues are declared, the most is ${queuesMax}`)
  return queues
}
