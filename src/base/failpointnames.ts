// Names of all failpoints: places at which a test can stop a process, make it fail, or hold it. A name is the folder, the action and the
// side. In production none is armed, and passing one costs an empty call.

export const failpoints = [
  // Journal, for a group of operations: checked, not in the log; in the log, not synced; synced, not in the store; in both, not
  // reported; applied in memory, no reply sent.
  'journal.append.before', 'journal.append.after', 'journal.commit.before', 'journal.commit.after', 'journal.reply.before',
  // Block, while it is received: before the first byte; complete, not synced; synced under temporary names; meta file renamed, data
  // file not; both renamed, directory not synced; directory synced.
  'block.receive', 'block.finalise.before', 'block.rename.before', 'block.rename.between', 'block.rename.after', 'block.syncdir.after',
  // Durable on this node and all behind it; the sender has no acknowledgement yet.
  'block.ack.before',
  // Before an order of the namenode is carried out.
  'block.delete.before', 'block.replicate.before',
  // The scheduler has decided; nothing is in the journal yet.
  'task.commit.before', 'job.publish.before',
] as const

export type Failpoint = (typeof failpoints)[number]

/** Action of an armed failpoint on the process that passes it. */
export type FailAction = 'kill' | 'throw' | 'pause'
