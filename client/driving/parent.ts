// Jobs that are submitted for a schedule name the job that follows it as their parent, whatever submits them: a run, a step of a program, a
// query. The namenode ends them with it.

import type { JobId } from '../../src/base/ids.ts'
import { submit } from '../../src/protocol/job.ts'
import type { RequestOf } from '../../src/protocol/message.ts'
import type { Cluster } from '../call/cluster.ts'

export function withParent(cluster: Cluster, parent: JobId): Cluster {
  return {
    ...cluster,
    ask: (message, request, signal, undo) => {
      if (message.path !== submit.path) return cluster.ask(message, request, signal, undo)
      const { spec } = request as unknown as Pick<RequestOf<typeof submit>, 'spec'>
      return cluster.ask(message, { ...request, spec: { ...spec, parent } }, signal, undo)
    },
  }
}
