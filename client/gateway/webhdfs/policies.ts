// Operations on features of HDFS that the cluster does not have, answered as an HDFS without them does: storage policies with disks
// only, erasure coding without a policy, and symbolic links.

import { RemoteException } from './errors.ts'
import { absent, empty, json, unsupported, type Call, type Operation } from './operation.ts'
import { hotPolicy } from './shapes.ts'

const mustExist = ({ mill, path, signal }: Call) => mill.status(path, { signal })

async function setStoragePolicy(call: Call) {
  const name = call.params.storagepolicy!
  await mustExist(call)
  if (name.toUpperCase() !== hotPolicy.name)
    throw new RemoteException('HadoopIllegalArgumentException', `Cannot find a block policy with the name ${name}`)
  return empty
}

const storageOperations: readonly Operation[] = [
  {
    verb: 'GET', name: 'GETALLSTORAGEPOLICY', answer: async () => json({ BlockStoragePolicies: { BlockStoragePolicy: [hotPolicy] } }),
    limits: 'the one policy is HOT: disks',
  },
  {
    verb: 'GET', name: 'GETSTORAGEPOLICY', exceptions: absent,
    answer: async call => {
      await mustExist(call)
      return json({ BlockStoragePolicy: hotPolicy })
    },
  },
  { verb: 'PUT', name: 'SETSTORAGEPOLICY', required: ['storagepolicy'], exceptions: absent, answer: setStoragePolicy, limits: 'HOT only' },
  {
    verb: 'POST', name: 'UNSETSTORAGEPOLICY', exceptions: absent,
    answer: async call => {
      await mustExist(call)
      return empty
    },
  },
  unsupported('PUT', 'SATISFYSTORAGEPOLICY', { why: 'all storages are disks', exception: 'UnsupportedActionException' }),
  unsupported('PUT', 'SETQUOTABYSTORAGETYPE', {
    why: 'all storages are disks; a quota is set with SETQUOTA', exception: 'UnsupportedActionException',
  }),
]

const erasureOperations: readonly Operation[] = [
  {
    verb: 'GET', name: 'GETECPOLICY', exceptions: absent,
    answer: async call => {
      await mustExist(call)
      return json(null)
    },
    limits: 'no policy: blocks are replicated',
  },
  { verb: 'GET', name: 'GETECPOLICIES', answer: async () => json({ ErasureCodingPolicies: { ErasureCodingPolicyInfo: [] } }) },
  { verb: 'GET', name: 'GETECCODECS', answer: async () => json({ ErasureCodingCodecs: {} }) },
  {
    verb: 'POST', name: 'UNSETECPOLICY', exceptions: absent, unsupported: true, limits: 'no directory has one',
    answer: async call => {
      const { path } = await mustExist(call)
      throw new RemoteException('NoECPolicySetException', `No erasure coding policy explicitly set on ${path}`)
    },
  },
  ...(['SETECPOLICY', 'ENABLEECPOLICY', 'DISABLEECPOLICY'] as const).map((name): Operation => ({
    verb: 'PUT', name, required: name === 'SETECPOLICY' ? [] : ['ecpolicy'], unsupported: true, limits: 'blocks are replicated',
    answer: async ({ params }) => {
      throw new RemoteException('HadoopIllegalArgumentException',
        `Policy '${params.ecpolicy ?? ''}' does not match any enabled erasure coding policies: []. This cluster replicates blocks.`)
    },
  })),
]

export const policyOperations: readonly Operation[] = [
  ...storageOperations, ...erasureOperations,
  unsupported('PUT', 'CREATESYMLINK', { required: ['destination'], why: 'there are no symbolic links' }),
]
