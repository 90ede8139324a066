// Names of the actions of S3 that policies of buckets may have, in lower case, as AWS lists them ("Actions, resources, and condition keys
// for Amazon S3"). Most of them are of operations that this gateway does not serve: such an action allows and denies nothing here. A name
// that is in no list is a mistake, for instance in a statement that was meant to deny something.

const about = (verbs: string, ...nouns: readonly string[]): string[] =>
  verbs.split(' ').flatMap(verb => nouns.map(noun => `s3:${verb}${noun}`.toLowerCase()))

export const policyActions: readonly string[] = [
  ...about(
    'Get Put', 'AccelerateConfiguration', 'AccountPublicAccessBlock', 'AnalyticsConfiguration', 'BucketAcl', 'BucketCORS', 'BucketLogging',
    'BucketNotification', 'BucketObjectLockConfiguration', 'BucketOwnershipControls', 'BucketPolicy', 'BucketPublicAccessBlock',
    'BucketRequestPayment', 'BucketTagging', 'BucketVersioning', 'BucketWebsite', 'EncryptionConfiguration',
    'IntelligentTieringConfiguration',
    'InventoryConfiguration', 'LifecycleConfiguration', 'MetricsConfiguration', 'Object', 'ObjectAcl', 'ObjectLegalHold', 'ObjectRetention',
    'ObjectTagging', 'ObjectVersionAcl', 'ObjectVersionTagging', 'ReplicationConfiguration',
  ),
  ...about('Get', 'BucketLocation', 'BucketPolicyStatus', 'ObjectAttributes', 'ObjectTorrent', 'ObjectVersion', 'ObjectVersionAttributes',
    'ObjectVersionForReplication', 'ObjectVersionTorrent'),
  ...about('Delete', 'Bucket', 'BucketPolicy', 'BucketWebsite', 'Object', 'ObjectTagging', 'ObjectVersion', 'ObjectVersionTagging'),
  ...about('List', 'AllMyBuckets', 'Bucket', 'BucketMultipartUploads', 'BucketVersions', 'MultipartUploadParts'),
  ...about('AbortMultipartUpload BypassGovernanceRetention CreateBucket InitiateReplication ObjectOwnerOverrideToBucketOwner '
    + 'PauseReplication ReplicateDelete ReplicateObject ReplicateTags RestoreObject UpdateObjectEncryption', ''),
]
