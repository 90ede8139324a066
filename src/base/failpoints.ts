// Named places at which a test may stop a process, make it fail, or hold it. A name says room, act and side; the list is the
// whole of them, so that a test can go through all. In production none is armed and passing one costs a call that does nothing.

export const failpoints = [
  // A group of operations is checked and not yet in the log; it is in the log, unsynced; it is synced and not in the store; it is in
  // both and nobody knows; the state in memory has it too, and no reply has gone out.
  'journal.append.before', 'journal.append.after', 'journal.commit.before', 'journal.commit.after', 'journal.reply.before',
  // A block's first byte is about to come; all bytes and sums are there, unsynced; synced, under temporary names; the meta file has its
  // name and the data has not; both have their names, which may still be lost; they cannot be lost any more.
  'block.receive', 'block.finalise.before', 'block.rename.before', 'block.rename.between', 'block.rename.after', 'block.syncdir.after',
  // Durable on this node and all behind it, and the sender does not know.
  'block.ack.before',
  // An order of the namenode is about to be carried out.
  'block.delete.before', 'block.replicate.before',
  // The scheduler has decided, and the journal has not been asked.
  'task.commit.before', 'job.publish.before',
] as const

export type Failpoint = (typeof failpoints)[number]
