// Names of the actions of S3 that new policies of buckets may have, in lower case, as AWS lists them ("Actions, resources, and condition
// keys for Amazon S3"). Most of them are of operations that this gateway does not serve: such an action allows and denies nothing here. A
// name that is in no list is a mistake, for instance in a statement that was meant to deny something.

const about = (verbs: string, ...nouns: readonly string[]): string[] =>
  verbs.split(' ').flatMap(verb => nouns.map(noun => `s3:${verb}${noun}`.toLowerCase()))

export const policyActions: readonly string[] = [
  ...about(
    'Get Put', 'AccelerateConfiguration', 'AccessGrantsInstanceResourcePolicy', 'AccessPointConfigurationForObjectLambda',
    'AccessPointPolicy', 'AccessPointPolicyForObjectLambda', 'AccountPublicAccessBlock', 'AnalyticsConfiguration', 'BucketAbac',
    'BucketAcl', 'BucketCORS', 'BucketLogging', 'BucketNotification', 'BucketObjectLockConfiguration', 'BucketOwnershipControls',
    'BucketPolicy', 'BucketPublicAccessBlock', 'BucketRequestPayment', 'BucketTagging', 'BucketVersioning', 'BucketWebsite',
    'EncryptionConfiguration', 'IntelligentTieringConfiguration', 'InventoryConfiguration', 'JobTagging', 'LifecycleConfiguration',
    'MetricsConfiguration', 'MultiRegionAccessPointPolicy', 'Object', 'ObjectAcl', 'ObjectAnnotation', 'ObjectLegalHold', 'ObjectRetention',
    'ObjectTagging', 'ObjectVersionAcl', 'ObjectVersionAnnotation', 'ObjectVersionTagging', 'ReplicationConfiguration',
    'StorageLensConfiguration', 'StorageLensConfigurationTagging',
  ),
  ...about(
    'Get', 'AccessGrant', 'AccessGrantsInstance', 'AccessGrantsInstanceForPrefix', 'AccessGrantsLocation', 'AccessPoint',
    'AccessPointForObjectLambda', 'AccessPointPolicyStatus', 'AccessPointPolicyStatusForObjectLambda', 'BucketLocation',
    'BucketMetadataTableConfiguration', 'BucketPolicyStatus', 'DataAccess', 'MultiRegionAccessPoint', 'MultiRegionAccessPointPolicyStatus',
    'MultiRegionAccessPointRoutes', 'ObjectAttributes', 'ObjectTorrent', 'ObjectVersion', 'ObjectVersionAnnotationForReplication',
    'ObjectVersionAttributes', 'ObjectVersionForReplication', 'ObjectVersionTorrent', 'StorageLensDashboard', 'StorageLensGroup',
  ),
  ...about(
    'Create Delete', 'AccessGrant', 'AccessGrantsInstance', 'AccessGrantsLocation', 'AccessPoint', 'AccessPointForObjectLambda', 'Bucket',
    'BucketMetadataTableConfiguration', 'MultiRegionAccessPoint', 'StorageLensGroup',
  ),
  ...about(
    'Delete', 'AccessGrantsInstanceResourcePolicy', 'AccessPointPolicy', 'AccessPointPolicyForObjectLambda', 'BucketPolicy',
    'BucketWebsite', 'JobTagging', 'Object', 'ObjectAnnotation', 'ObjectTagging', 'ObjectVersion', 'ObjectVersionAnnotation',
    'ObjectVersionTagging', 'StorageLensConfiguration', 'StorageLensConfigurationTagging',
  ),
  ...about(
    'List', 'AccessGrants', 'AccessGrantsInstances', 'AccessGrantsLocations', 'AccessPoints', 'AccessPointsForObjectLambda', 'AllMyBuckets',
    'Bucket', 'BucketMultipartUploads', 'BucketVersions', 'CallerAccessGrants', 'Jobs', 'MultipartUploadParts', 'MultiRegionAccessPoints',
    'ObjectAnnotations', 'ObjectVersionAnnotations', 'StorageLensConfigurations', 'StorageLensGroups', 'TagsForResource',
  ),
  ...about(
    'Update', 'AccessGrantsLocation', 'BucketMetadataAnnotationTableConfiguration', 'BucketMetadataInventoryTableConfiguration',
    'BucketMetadataJournalTableConfiguration', 'JobPriority', 'JobStatus', 'ObjectEncryption', 'StorageLensGroup',
  ),
  ...about('Associate Dissociate', 'AccessGrantsIdentityCenter'),
  ...about('Describe', 'Job', 'MultiRegionAccessPointOperation'),
  ...about('Replicate', 'Delete', 'Object', 'ObjectAnnotation', 'Tags'),
  ...about('Tag Untag', 'Resource'),
  ...about('AbortMultipartUpload AllowVendedLogDeliveryForResource BypassGovernanceRetention CreateJob InitiateReplication '
    + 'ObjectOwnerOverrideToBucketOwner PauseReplication PutAccessPointPublicAccessBlock RestoreObject SubmitMultiRegionAccessPointRoutes',
    ''),
]
