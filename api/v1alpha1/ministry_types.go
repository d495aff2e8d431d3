package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Ministry is a tenant: its domains, the tree of entities and services under it, its accounts, quotas, size, storage and security.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=ministries,scope=Cluster,shortName=min,categories=messagerie
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Accounts",type=integer,JSONPath=`.status.accounts.served`
// +kubebuilder:printcolumn:name="Cells",type=integer,JSONPath=`.status.cells.ready`
// +kubebuilder:printcolumn:name="Wave",type=integer,JSONPath=`.spec.wave`,priority=1
// +kubebuilder:printcolumn:name="Size",type=string,JSONPath=`.spec.size`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 50 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: must be a DNS label of at most 50 characters: lower-case letters, digits and inner hyphens"
type Ministry struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec MinistrySpec `json:"spec"`
	// +optional
	Status MinistryStatus `json:"status,omitempty"`
}

// MinistrySpec is what a platform engineer wants for one ministry.
// +kubebuilder:validation:XValidation:rule="!has(self.quotas) || !has(self.quotas.mailbox) || !has(self.storage) || !has(self.storage.size) || quantity(string(self.quotas.mailbox)).compareTo(quantity(string(self.storage.size))) <= 0",message="must not be larger than storage.size",fieldPath=".quotas.mailbox"
// +kubebuilder:validation:XValidation:rule="!has(self.quotas) || !has(self.quotas.total) || !has(self.storage) || !has(self.storage.size) || quantity(string(self.quotas.total)).compareTo(quantity(string(self.storage.size))) <= 0",message="must not be larger than storage.size",fieldPath=".quotas.total"
type MinistrySpec struct {
	// Paused lists why the operator must leave the ministry alone; empty: it does not.
	// +optional
	// +listType=map
	// +listMapKey=reason
	// +kubebuilder:validation:MaxItems=8
	Paused []Pause `json:"paused,omitempty"`

	// DisplayName is the ministry's full name.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`

	// Domains are the ministry's own mail domains; the first is the main one. No two ministries may have one in common.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Domains []DomainName `json:"domains"`

	// Entities are the bodies under the ministry.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Entities []Entity `json:"entities,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Accounts AccountsSpec `json:"accounts,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Quotas QuotasSpec `json:"quotas,omitempty"`

	// Services are what the ministry's agents may use.
	// +optional
	// +listType=set
	// +kubebuilder:default={IMAP,Submission}
	// +kubebuilder:validation:MaxItems=2
	Services []AgentService `json:"services,omitempty"`

	// Size says how much processor and memory the cell gets.
	// +optional
	// +kubebuilder:default=Small
	Size Size `json:"size,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Storage StorageSpec `json:"storage,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Security SecuritySpec `json:"security,omitempty"`

	// Wave is the stage of the roll-out in which the ministry joins; it labels what the operator makes for the ministry.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Wave int32 `json:"wave,omitempty"`
}

// Slug is a short name: a DNS label in lower case.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type Slug string

// Entity is a body under a ministry: an agency, a directorate, a company of the State.
type Entity struct {
	// Name is what the column entity of the accounts refers to.
	Name Slug `json:"name"`
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	Services []Service `json:"services,omitempty"`
}

// Service is a service of an entity.
type Service struct {
	// Name is what the column service of the accounts refers to.
	Name Slug `json:"name"`
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`
}

// AccountsSpec says where the accounts come from.
type AccountsSpec struct {
	// Sources are read in order; a later row for an address adds to an earlier one and overrides what it gives.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Sources []AccountSource `json:"sources,omitempty"`
}

// SourceKind is the kind of object that accounts are read from.
// +kubebuilder:validation:Enum=ConfigMap;Secret
type SourceKind string

// Kinds of sources.
const (
	SourceConfigMap SourceKind = "ConfigMap"
	SourceSecret    SourceKind = "Secret"
)

// AccountSource is an object in the system namespace. Every key that ends in .csv or .csv.gz is read, in the keys' order.
// The columns are address,name,entity,service,password; the last is optional and holds a hash.
type AccountSource struct {
	Kind SourceKind `json:"kind"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// QuotasSpec bounds what mailboxes hold.
// +kubebuilder:validation:XValidation:rule="!has(self.mailbox) || !has(self.total) || quantity(string(self.mailbox)).compareTo(quantity(string(self.total))) <= 0",message="must not be larger than quotas.total",fieldPath=".mailbox"
type QuotasSpec struct {
	// Mailbox is what one mailbox may hold. Default: the Platform's.
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="must be 1Mi or more"
	Mailbox *resource.Quantity `json:"mailbox,omitempty"`

	// Total is what all mailboxes together may be promised: accounts beyond it are not accepted. Default: no bound.
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="must be 1Mi or more"
	Total *resource.Quantity `json:"total,omitempty"`
}

// AgentService is something an agent may use.
// +kubebuilder:validation:Enum=IMAP;Submission
type AgentService string

// Services for agents.
const (
	AgentServiceIMAP       AgentService = "IMAP"
	AgentServiceSubmission AgentService = "Submission"
)

// Size is a class of processor and memory.
// +kubebuilder:validation:Enum=Small;Medium;Large
type Size string

// Sizes: up to about 1,000, 5,000 and 25,000 agents.
const (
	SizeSmall  Size = "Small"
	SizeMedium Size = "Medium"
	SizeLarge  Size = "Large"
)

// ReclaimPolicy says what becomes of the mail when the ministry is deleted.
// +kubebuilder:validation:Enum=Retain;Delete
type ReclaimPolicy string

// Reclaim policies.
const (
	// ReclaimRetain keeps the namespace with the volume and the keys: the same ministry applied again has all its mail.
	ReclaimRetain ReclaimPolicy = "Retain"
	// ReclaimDelete removes the namespace, the volume and the mail in it.
	ReclaimDelete ReclaimPolicy = "Delete"
)

// StorageSpec describes the cell's volume.
// +kubebuilder:validation:XValidation:rule="has(self.size) == has(oldSelf.size) && (!has(self.size) || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) == 0)",message="the size of a volume cannot change",fieldPath=".size"
type StorageSpec struct {
	// Size of the volume. Default: the Platform's. It cannot change once set.
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="must be 1Mi or more"
	Size *resource.Quantity `json:"size,omitempty"`

	// ReclaimPolicy says what becomes of the mail when the ministry is deleted.
	// +optional
	// +kubebuilder:default=Retain
	ReclaimPolicy ReclaimPolicy `json:"reclaimPolicy,omitempty"`
}

// TLSVersion is a version of TLS.
// +kubebuilder:validation:Enum="1.2";"1.3"
type TLSVersion string

// SecuritySpec restricts how agents connect.
type SecuritySpec struct {
	// AllowedNetworks are where agents may log in from; empty: anywhere.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	AllowedNetworks []Network `json:"allowedNetworks,omitempty"`

	// MinTLSVersion is the oldest version of TLS with which agents may log in.
	// +optional
	// +kubebuilder:default="1.2"
	MinTLSVersion TLSVersion `json:"minTLSVersion,omitempty"`

	// OAuth says whose tokens agents may log in with (OAUTHBEARER, RFC 7628); unset: nobody's.
	// +optional
	OAuth *OAuthSpec `json:"oauth,omitempty"`
}

// OAuthSpec names an identity provider. Its keys are given here, so that no cell has to reach it.
type OAuthSpec struct {
	// Issuer is the provider as its tokens name it (claim iss).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer"`

	// Audience is this service as the tokens name it (claim aud).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Audience string `json:"audience"`

	// Keys is the provider's JSON Web Key Set (RFC 7517, 5).
	// +required
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:XValidation:rule="self.startsWith('{') && self.contains('\"keys\"')",message="must be a JSON Web Key Set, such as {\"keys\": [...]}"
	Keys string `json:"keys"`
}

// MinistryStatus is what the operator found and did.
type MinistryStatus struct {
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ObservedGeneration is the last generation that was carried out completely.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Namespace holds the ministry's cell and keys.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// UID is the user and group id that the ministry's cell runs under, different for every ministry.
	// +optional
	UID int64 `json:"uid,omitempty"`

	// +optional
	Accounts AccountsStatus `json:"accounts,omitempty"`

	// +optional
	Cells ReplicaCount `json:"cells,omitempty"`

	// Endpoints are where the ministry's agents connect.
	// +optional
	// +listType=map
	// +listMapKey=protocol
	// +kubebuilder:validation:MaxItems=16
	Endpoints []Endpoint `json:"endpoints,omitempty"`

	// DNSRecords are the records to publish for the ministry's domains.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	DNSRecords []DNSRecord `json:"dnsRecords,omitempty"`

	// MTASTSPolicy is the text to serve at https://mta-sts.<domain>/.well-known/mta-sts.txt for each domain (RFC 8461, 3.2).
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	MTASTSPolicy string `json:"mtaSTSPolicy,omitempty"`
}

// AccountsStatus counts the accounts.
type AccountsStatus struct {
	// Declared is how many accounts the sources hold.
	// +optional
	Declared int32 `json:"declared"`
	// Served is how many accounts the cell serves.
	// +optional
	Served int32 `json:"served"`
	// Clashing is how many of the declared accounts are left out because an older ministry holds the address.
	// +optional
	Clashing int32 `json:"clashing"`
	// Hash identifies the set of accounts last applied to the cell.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Hash string `json:"hash,omitempty"`
}

// MinistryList is a list of ministries.
//
// +kubebuilder:object:root=true
type MinistryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Ministry `json:"items"`
}
