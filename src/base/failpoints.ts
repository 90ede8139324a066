// Named places at which a test may stop a process, make it fail, or hold it. A name says room, act and side; the list is the
// whole of them, so that a test can go through all. In production none is armed and passing one costs a lookup in an empty map.

export const failpoints = [
  /** A group is checked and not yet in the log; it is in the log and not in the store; it is in both and unanswered. */
  'journal.append.before', 'journal.append.after', 'journal.commit.before', 'journal.commit.after', 'journal.reply.before',
  /** A block's first byte is about to be written; all bytes and sums are there, unsynced; synced, under its temporary name. */
  'block.receive', 'block.finalise.before', 'block.rename.before', 'block.rename.after', 'block.syncdir.before', 'block.syncdir.after',
  /** Synced everywhere, and the acknowledgement not sent. */
  'block.ack.before',
  'block.delete.before', 'block.replicate.before',
  'task.commit.before', 'job.publish.before',
] as const

export type Failpoint = (typeof failpoints)[number]
