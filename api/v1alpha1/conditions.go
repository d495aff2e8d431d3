package v1alpha1

// Condition types. Ready, Reconciling and Stalled follow kstatus, so that kubectl wait, Flux and Argo agree:
// Reconciling and Stalled are present only while they are true.
const (
	// ConditionReady is true when agents can use what the object stands for.
	ConditionReady = "Ready"
	// ConditionReconciling is true while the operator is still working towards the spec.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is true when only a person can get the object further.
	ConditionStalled = "Stalled"
	// ConditionPaused is true while spec.paused is not empty: nothing is changed, nothing is deleted.
	ConditionPaused = "Paused"

	// ConditionNamespaceReady says whether the ministry's namespace and what lies in it are as declared.
	ConditionNamespaceReady = "NamespaceReady"
	// ConditionCellReady says whether the ministry's cell serves.
	ConditionCellReady = "CellReady"
	// ConditionAccountsReady says whether the cell holds exactly the accounts of the sources.
	ConditionAccountsReady = "AccountsReady"

	// ConditionCertificatesReady says whether the platform's certificates are valid for as long as they should be.
	ConditionCertificatesReady = "CertificatesReady"
	// ConditionGatewayReady says whether every gateway serves.
	ConditionGatewayReady = "GatewayReady"

	// ConditionWorkersReady says whether every worker of a load test runs and is prepared.
	ConditionWorkersReady = "WorkersReady"
	// ConditionFinished is true once a load test has ended, whatever its verdict. Ready is true only if it passed.
	ConditionFinished = "Finished"
)

// Reasons of conditions. They are part of the API: scripts may rely on them.
const (
	ReasonReady       = "Ready"
	ReasonReconciling = "Reconciling"
	ReasonPaused      = "Paused"
	ReasonFailed      = "ReconcileFailed"

	// ReasonPlatformMissing: there is no Platform yet.
	ReasonPlatformMissing = "PlatformMissing"
	// ReasonDomainClash: an older ministry holds one of the domains.
	ReasonDomainClash = "DomainClash"
	// ReasonCellStarting: the cell's Pod does not serve yet.
	ReasonCellStarting = "CellStarting"
	// ReasonGatewayStarting: no gateway serves yet.
	ReasonGatewayStarting = "GatewayStarting"

	// ReasonAccountsApplied: the cell holds the accounts of the sources.
	ReasonAccountsApplied = "AccountsApplied"
	// ReasonNoSources: the spec names no source of accounts.
	ReasonNoSources = "NoSources"
	// ReasonSourceMissing: a source of accounts does not exist; the accounts last applied stay.
	ReasonSourceMissing = "SourceMissing"
	// ReasonInvalidAccounts: a source holds rows that are not accepted; the accounts last applied stay.
	ReasonInvalidAccounts = "InvalidAccounts"
	// ReasonAddressClash: an older ministry holds some of the addresses; those alone are left out.
	ReasonAddressClash = "AddressClash"
	// ReasonQuotaExceeded: the mailboxes together are promised more than quotas.total; the accounts last applied stay.
	ReasonQuotaExceeded = "QuotaExceeded"

	// ReasonDraining: the ministry is being deleted; its queue is emptied first.
	ReasonDraining = "Draining"
	// ReasonStoppingCell: the ministry is being deleted; its cell stops.
	ReasonStoppingCell = "StoppingCell"
	// ReasonReleasingData: the ministry is being deleted; its data is kept or removed as the policy says.
	ReasonReleasingData = "ReleasingData"

	// ReasonMinistriesRemain: the Platform is being deleted; it stays for as long as there are ministries.
	ReasonMinistriesRemain = "MinistriesRemain"
	// ReasonTargetMissing: the platform has no gateway to test yet.
	ReasonTargetMissing = "TargetMissing"
	// ReasonTargetBusy: another load test runs on the same target; this one waits for it.
	ReasonTargetBusy = "TargetBusy"
	// ReasonInvalidTest: what the load test asks for is not possible.
	ReasonInvalidTest = "InvalidTest"
	// ReasonWorkersStarting: not all workers of the load test run yet.
	ReasonWorkersStarting = "WorkersStarting"
	// ReasonPreparing: the workers read the accounts and look for the target.
	ReasonPreparing = "Preparing"
	// ReasonRunning: there is load.
	ReasonRunning = "Running"
	// ReasonPassed: the load test passed every gate.
	ReasonPassed = "Passed"
	// ReasonGatesFailed: the load test failed a gate.
	ReasonGatesFailed = "GatesFailed"
	// ReasonRunInvalid: the load was not what it should have been; nothing can be said of the target.
	ReasonRunInvalid = "RunInvalid"
	// ReasonContentErrors: mail was lost, doubled or changed.
	ReasonContentErrors = "ContentErrors"
	// ReasonAborted: the load test was ended early.
	ReasonAborted = "Aborted"
	// ReasonStoppingWorkers: the load test is being deleted; its workers stop.
	ReasonStoppingWorkers = "StoppingWorkers"

	// ReasonStoppingGateways: the Platform is being deleted; its gateways stop.
	ReasonStoppingGateways = "StoppingGateways"
)
