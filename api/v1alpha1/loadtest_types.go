package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LoadTest is one run of a load test: who does what and how often, against what, and what counts as good. Its verdict and
// a summary are in the status; the whole report is in a ConfigMap beside it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=loadtests,scope=Namespaced,shortName=lt,categories=messagerie
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.status.verdict`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Profile",type=string,JSONPath=`.spec.profile`
// +kubebuilder:printcolumn:name="Users",type=integer,JSONPath=`.spec.users`
// +kubebuilder:printcolumn:name="Workers",type=integer,JSONPath=`.status.workers.ready`
// +kubebuilder:printcolumn:name="Finished",type=date,JSONPath=`.status.finishedAt`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 50 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: must be a DNS label of at most 50 characters: lower-case letters, digits and inner hyphens"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.startedAt) || self.spec == oldSelf.spec",message="cannot change once the test has started: make another LoadTest",fieldPath=".spec"
type LoadTest struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec LoadTestSpec `json:"spec"`
	// +optional
	Status LoadTestStatus `json:"status,omitempty"`
}

// LoadTestSpec is what is to be tested. It cannot change once the test has started.
// +kubebuilder:validation:XValidation:rule="has(self.profile) || (has(self.streams) && size(self.streams) > 0)",message="must be given unless streams are",fieldPath=".profile"
// +kubebuilder:validation:XValidation:rule="has(self.profile) || has(self.users)",message="must be given unless a profile is",fieldPath=".users"
// +kubebuilder:validation:XValidation:rule="has(self.profile) || has(self.durationSeconds)",message="must be given unless a profile is",fieldPath=".durationSeconds"
type LoadTestSpec struct {
	// Paused lists why the operator must not start the test; empty: it may. A test that has started goes on to its end.
	// +optional
	// +listType=map
	// +listMapKey=reason
	// +kubebuilder:validation:MaxItems=8
	Paused []Pause `json:"paused,omitempty"`

	// Profile is the built-in profile that the test begins with; every other field overrides what it says.
	// +optional
	Profile Slug `json:"profile,omitempty"`

	// Users is how many agents are played. Default: the profile's.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Users int32 `json:"users,omitempty"`

	// Workers is how many Pods make the load. Default: the profile's.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Workers int32 `json:"workers,omitempty"`

	// Seed makes the schedule and the messages the same again. Default: the profile's.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Seed int64 `json:"seed,omitempty"`

	// ConnectSeconds is how long long sessions take to be opened, before anything else begins.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	ConnectSeconds *int32 `json:"connectSeconds,omitempty"`

	// WarmUpSeconds is the time after that in which there is load that is not measured.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	WarmUpSeconds *int32 `json:"warmUpSeconds,omitempty"`

	// DurationSeconds is how long the load is measured, at most a week.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	DurationSeconds int32 `json:"durationSeconds,omitempty"`

	// SettleSeconds bounds the time after the load in which everything that was sent has to have arrived.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	SettleSeconds *int32 `json:"settleSeconds,omitempty"`

	// RateFactor multiplies the load of every stream.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self > 0.0",message="must be more than 0"
	// +kubebuilder:validation:Maximum=10000
	RateFactor float64 `json:"rateFactor,omitempty"`

	// Sessions are the IMAP sessions that users hold all day. Default: the profile's.
	// +optional
	Sessions *LoadSessions `json:"sessions,omitempty"`

	// Streams are what agents do and how often. Given at all, they replace the profile's.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Streams []LoadStream `json:"streams,omitempty"`

	// Gates are what counts as good, such as `imap.fetch.p99 < 500ms min_count=200`. Given at all, they replace the profile's.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	Gates []string `json:"gates,omitempty"`

	// Objectives are service levels whose error budget is accounted, such as `imap.fetch within 500ms for 99%`.
	// Given at all, they replace the profile's.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	Objectives []string `json:"objectives,omitempty"`

	// Target is what is tested. Default: the gateways of this platform.
	// +optional
	Target *LoadTarget `json:"target,omitempty"`

	// AccountsFrom is where the accounts and their passwords come from. Users share them, in order.
	// +optional
	AccountsFrom *SecretKey `json:"accountsFrom,omitempty"`

	// Concurrency says whether another test may run on the same target meanwhile; both have to allow it.
	// +optional
	// +kubebuilder:default=Forbid
	Concurrency LoadConcurrency `json:"concurrency,omitempty"`

	// Checks say how deep content is looked at. Default: the profile's.
	// +optional
	Checks *LoadChecks `json:"checks,omitempty"`

	// TTLSecondsAfterFinished is how long the test stays after its end; it takes its report with it. Default: until it is deleted.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// LoadActivity is one kind of thing that agents do.
// +kubebuilder:validation:Enum=MX;LMTP;Submission;Desktop;Phone
type LoadActivity string

// LoadModel says what sets the pace: a schedule, whatever the target does, or its answers.
// +kubebuilder:validation:Enum=Open;Closed
type LoadModel string

// Models of load.
const (
	LoadModelOpen   LoadModel = "Open"
	LoadModelClosed LoadModel = "Closed"
)

// LoadArrivals says how the intended start times of an open stream lie.
// +kubebuilder:validation:Enum=Poisson;Constant
type LoadArrivals string

// LoadShape is a curve with a name.
// +kubebuilder:validation:Enum=Diurnal
type LoadShape string

// LoadStream is one activity, repeated.
// +kubebuilder:validation:XValidation:rule="!has(self.curve) || !has(self.shape)",message="must not be given beside a curve",fieldPath=".shape"
// +kubebuilder:validation:XValidation:rule="self.model == 'Closed' ? has(self.concurrency) : true",message="must be given when model is Closed",fieldPath=".concurrency"
// +kubebuilder:validation:XValidation:rule="self.model == 'Open' ? !has(self.concurrency) : true",message="is for the model Closed only",fieldPath=".concurrency"
// +kubebuilder:validation:XValidation:rule="self.model == 'Open' ? has(self.rate) != has(self.perUserHour) : true",message="one of rate and perUserHour must be given when model is Open",fieldPath=".rate"
// +kubebuilder:validation:XValidation:rule="self.model == 'Closed' ? !has(self.rate) && !has(self.perUserHour) && !has(self.curve) && !has(self.shape) : true",message="rate, perUserHour, curve and shape are for the model Open only",fieldPath=".rate"
type LoadStream struct {
	// Name tells the streams apart.
	Name Slug `json:"name"`

	Activity LoadActivity `json:"activity"`

	// +optional
	// +kubebuilder:default=Open
	Model LoadModel `json:"model,omitempty"`

	// +optional
	// +kubebuilder:default=Poisson
	Arrivals LoadArrivals `json:"arrivals,omitempty"`

	// PerUserHour is how often a user does it in an hour.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	PerUserHour *float64 `json:"perUserHour,omitempty"`

	// Rate is how often all users together do it in a second.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Rate *float64 `json:"rate,omitempty"`

	// Curve multiplies the rate: linear between the points, flat before the first and after the last. Empty: 1 throughout.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Curve []LoadPoint `json:"curve,omitempty"`

	// Shape is a curve with a name, of which the rate is the mean: Diurnal is a working day stretched over the whole test.
	// +optional
	Shape LoadShape `json:"shape,omitempty"`

	// Concurrency is how many do it at once, in the model Closed.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Concurrency int32 `json:"concurrency,omitempty"`

	// ThinkSeconds is how long a user waits between two steps, on average.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	ThinkSeconds *float64 `json:"thinkSeconds,omitempty"`

	// Actions weigh what a Desktop does in its session. Default: the mix of a mail program.
	// +optional
	// +listType=map
	// +listMapKey=action
	// +kubebuilder:validation:MaxItems=16
	Actions []LoadAction `json:"actions,omitempty"`

	// MessagesPerConnection keeps an SMTP connection for several messages.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MessagesPerConnection int32 `json:"messagesPerConnection,omitempty"`
}

// LoadSessions are IMAP sessions held all day.
type LoadSessions struct {
	// Share is the part of the users who hold one, 0 to 1.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	Share float64 `json:"share"`
}

// LoadActionName is what a Desktop does in its session.
// +kubebuilder:validation:Enum=Noop;Status;FetchHeaders;FetchBody;Append;Search;Select;Store;Expunge
type LoadActionName string

// LoadAction is the share of one action among all.
type LoadAction struct {
	Action LoadActionName `json:"action"`
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Weight float64 `json:"weight"`
}

// LoadPoint is a vertex of a curve.
type LoadPoint struct {
	// AtSeconds is the time after the streams begin.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	AtSeconds int32 `json:"atSeconds"`
	// Factor multiplies the rate.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	Factor float64 `json:"factor"`
}

// LoadTarget is a target other than this platform's gateways.
// +kubebuilder:validation:XValidation:rule="!has(self.certificateAuthority) || self.verification == 'Verify'",message="is not looked at when verification is Insecure",fieldPath=".certificateAuthority"
type LoadTarget struct {
	// Endpoints are where it serves, one for each protocol.
	// +listType=map
	// +listMapKey=protocol
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Endpoints []LoadEndpoint `json:"endpoints"`

	// CertificateAuthority signs the target's certificates, in PEM. Default: this platform's.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	CertificateAuthority string `json:"certificateAuthority,omitempty"`

	// Verification says whether the target has to show a certificate that can be verified.
	// +optional
	// +kubebuilder:default=Verify
	Verification LoadVerification `json:"verification,omitempty"`
}

// LoadVerification says whether certificates are verified.
// +kubebuilder:validation:Enum=Verify;Insecure
type LoadVerification string

// Verification of certificates.
const (
	LoadVerify   LoadVerification = "Verify"
	LoadInsecure LoadVerification = "Insecure"
)

// LoadEndpoint is where a target serves one protocol.
type LoadEndpoint struct {
	Protocol EndpointProtocol `json:"protocol"`
	// Address is host:port.
	// +kubebuilder:validation:MaxLength=260
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$`
	Address string `json:"address"`
}

// SecretKey is a key of a Secret in the same namespace. It holds a CSV file with the columns address and password.
type SecretKey struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Key in it.
	// +optional
	// +kubebuilder:default=accounts.csv
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// LoadConcurrency says whether tests may run on one target at the same time.
// +kubebuilder:validation:Enum=Forbid;Allow
type LoadConcurrency string

// Concurrency of tests on one target.
const (
	LoadConcurrencyForbid LoadConcurrency = "Forbid"
	LoadConcurrencyAllow  LoadConcurrency = "Allow"
)

// LoadChecks say how deep content is looked at.
type LoadChecks struct {
	// Witnesses is the share of accounts whose mail is followed message by message, 0 to 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	Witnesses *float64 `json:"witnesses,omitempty"`
	// Mirrors is how many long sessions of a worker keep a copy of all they were told, and compare.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	Mirrors *int32 `json:"mirrors,omitempty"`
	// Settle is how many witnesses of a worker are read to the end after the load.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	Settle *int32 `json:"settle,omitempty"`
	// CleanUp says what becomes of the test's own mail in those mailboxes.
	// +optional
	CleanUp LoadCleanUp `json:"cleanUp,omitempty"`
}

// LoadCleanUp says what becomes of the test's own mail.
// +kubebuilder:validation:Enum=Keep;Remove
type LoadCleanUp string

// What becomes of the test's own mail.
const (
	LoadCleanUpKeep   LoadCleanUp = "Keep"
	LoadCleanUpRemove LoadCleanUp = "Remove"
)

// LoadVerdict is what came of a test.
// +kubebuilder:validation:Enum=Pass;Fail;Invalid;Content;Aborted
type LoadVerdict string

// Verdicts.
const (
	// LoadVerdictPass: every gate was passed.
	LoadVerdictPass LoadVerdict = "Pass"
	// LoadVerdictFail: a gate was not.
	LoadVerdictFail LoadVerdict = "Fail"
	// LoadVerdictInvalid: the load was not what it should have been, so nothing can be said.
	LoadVerdictInvalid LoadVerdict = "Invalid"
	// LoadVerdictContent: mail was lost, doubled or changed.
	LoadVerdictContent LoadVerdict = "Content"
	// LoadVerdictAborted: somebody ended the test.
	LoadVerdictAborted LoadVerdict = "Aborted"
)

// LoadTestStatus is what the operator found and did.
type LoadTestStatus struct {
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ObservedGeneration is the last generation that was carried out completely.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Verdict is what came of the test; empty until it has ended.
	// +optional
	Verdict LoadVerdict `json:"verdict,omitempty"`

	// ExitCode is the verdict as the command line gives it: 0 passed, 99 gates failed, 98 invalid, 97 content, 96 aborted.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// StartedAt is when the operator began to make the workers; from then on the spec cannot change.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// LoadStartedAt is when all workers together began.
	// +optional
	LoadStartedAt *metav1.Time `json:"loadStartedAt,omitempty"`

	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`

	// +optional
	Workers ReplicaCount `json:"workers,omitempty"`

	// Summary has the operations with the most counts.
	// +optional
	// +listType=map
	// +listMapKey=operation
	// +kubebuilder:validation:MaxItems=24
	Summary []OperationSummary `json:"summary,omitempty"`

	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Gates []GateStatus `json:"gates,omitempty"`

	// ReportRef is the ConfigMap in the same namespace with report.json, report.html, junit.xml and metrics.prom.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ReportRef string `json:"reportRef,omitempty"`
}

// OperationSummary is what was measured of one operation.
type OperationSummary struct {
	// Operation is its name, such as imap.fetch.
	// +kubebuilder:validation:MaxLength=64
	Operation string `json:"operation"`
	// Count is how many succeeded.
	Count int64 `json:"count"`
	// Errors is how many failed.
	Errors int64 `json:"errors"`
	// Rate is how many succeeded in a second.
	Rate float64 `json:"rate"`
	// P50, P95 and P99 are quantiles of the time from the intended start to the end, in seconds.
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// GateResult says whether a gate was passed.
// +kubebuilder:validation:Enum=Passed;Failed
type GateResult string

// Results of gates.
const (
	GatePassed GateResult = "Passed"
	GateFailed GateResult = "Failed"
)

// GateStatus is what came of one gate.
type GateStatus struct {
	// +kubebuilder:validation:MaxLength=200
	Expression string     `json:"expression"`
	Result     GateResult `json:"result"`
	// Value is what was found: seconds, a share, per second, or a count.
	Value float64 `json:"value"`
	// +optional
	// +kubebuilder:validation:MaxLength=500
	Reason string `json:"reason,omitempty"`
}

// LoadTestList is a list of load tests.
//
// +kubebuilder:object:root=true
type LoadTestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []LoadTest `json:"items"`
}
