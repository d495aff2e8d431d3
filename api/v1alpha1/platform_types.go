package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PlatformName is the name of the one Platform of a cluster.
const PlatformName = "platform"

// Platform is the service as a whole: its public domain, gateways, limits, defaults and outbound policy.
// There is one in a cluster, and it is called "platform".
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=plat,categories=messagerie
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Domain",type=string,JSONPath=`.spec.domain`
// +kubebuilder:printcolumn:name="Gateways",type=integer,JSONPath=`.status.gateways.ready`
// +kubebuilder:printcolumn:name="Ministries",type=integer,JSONPath=`.status.ministries`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'platform'",message="metadata.name: there is one Platform in a cluster, and its name must be platform"
type Platform struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PlatformSpec `json:"spec"`
	// +optional
	Status PlatformStatus `json:"status,omitempty"`
}

// PlatformSpec is what a platform engineer wants.
type PlatformSpec struct {
	// Paused lists why the operator must leave the platform alone; empty: it does not.
	// +optional
	// +listType=map
	// +listMapKey=reason
	// +kubebuilder:validation:MaxItems=8
	Paused []Pause `json:"paused,omitempty"`

	// Domain is the domain that agents of every ministry share, such as gouv.tg. It cannot change.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the shared domain cannot change: agents' addresses lie under it"
	Domain DomainName `json:"domain"`

	// Hostname is what the gateways call themselves and what clients connect to. Default: mail.<domain>.
	// +optional
	Hostname DomainName `json:"hostname,omitempty"`

	// Image is the container image of cells and gateways. Default: the one the operator was released with.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^\s]+$`
	Image string `json:"image,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Gateway GatewaySpec `json:"gateway,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Limits LimitsSpec `json:"limits,omitempty"`

	// Defaults apply to ministries that do not say otherwise.
	// +optional
	// +kubebuilder:default={}
	Defaults DefaultsSpec `json:"defaults,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Outbound OutboundSpec `json:"outbound,omitempty"`

	// +optional
	// +kubebuilder:default={}
	DNS DNSSpec `json:"dns,omitempty"`
}

// GatewayService says how the gateways are reached on a cluster that has a service network.
// +kubebuilder:validation:Enum=None;ClusterIP;LoadBalancer
type GatewayService string

// Kinds of gateway services.
const (
	// GatewayServiceNone makes no Service: clients connect to the Pods' own addresses.
	GatewayServiceNone         GatewayService = "None"
	GatewayServiceClusterIP    GatewayService = "ClusterIP"
	GatewayServiceLoadBalancer GatewayService = "LoadBalancer"
)

// GatewaySpec describes the gateways, through which all mail and all clients pass.
type GatewaySpec struct {
	// Replicas is how many gateways run.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Replicas int32 `json:"replicas,omitempty"`

	// Service says how clients reach the gateways.
	// +optional
	// +kubebuilder:default=None
	Service GatewayService `json:"service,omitempty"`

	// TrustedNetworks may hand in mail by LMTP.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	TrustedNetworks []Network `json:"trustedNetworks,omitempty"`
}

// Network is an address range in CIDR notation.
// +kubebuilder:validation:MaxLength=49
// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="must be an address range in CIDR notation, such as 10.0.0.0/8"
type Network string

// LimitsSpec bounds what one message may be.
type LimitsSpec struct {
	// MaxMessageSize is the largest message accepted, as sent.
	// +optional
	// +kubebuilder:default="25Mi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('64Ki')) >= 0 && quantity(string(self)).compareTo(quantity('1Gi')) <= 0",message="must be between 64Ki and 1Gi"
	MaxMessageSize *resource.Quantity `json:"maxMessageSize,omitempty"`

	// MaxRecipients is the largest number of recipients of one submission.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxRecipients int32 `json:"maxRecipients,omitempty"`
}

// DefaultsSpec is what ministries get that do not say otherwise.
type DefaultsSpec struct {
	// MailboxQuota is what one mailbox may hold.
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="must be 1Mi or more"
	MailboxQuota *resource.Quantity `json:"mailboxQuota,omitempty"`

	// StorageSize is the size of a cell's volume.
	// +optional
	// +kubebuilder:default="10Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="must be 1Mi or more"
	StorageSize *resource.Quantity `json:"storageSize,omitempty"`

	// StorageClass is the class of a cell's volume.
	// +optional
	// +kubebuilder:default=messagerie-local
	// +kubebuilder:validation:MaxLength=253
	StorageClass string `json:"storageClass,omitempty"`
}

// OutboundMode says what happens to mail for addresses that no ministry holds.
// +kubebuilder:validation:Enum=Disabled;Relay
type OutboundMode string

// Outbound modes.
const (
	// OutboundDisabled refuses recipients outside the platform.
	OutboundDisabled OutboundMode = "Disabled"
	// OutboundRelay hands mail for the outside to one relay.
	OutboundRelay OutboundMode = "Relay"
)

// OutboundSpec is the policy for mail that leaves the platform.
// +kubebuilder:validation:XValidation:rule="(has(self.mode) && self.mode == 'Relay') == (has(self.relay) && size(self.relay) > 0)",message="relay must be given when mode is Relay, and only then",fieldPath=".relay"
type OutboundSpec struct {
	// +optional
	// +kubebuilder:default=Disabled
	Mode OutboundMode `json:"mode,omitempty"`

	// Relay is host:port of the relay; used only, and then needed, when mode is Relay.
	// +optional
	// +kubebuilder:validation:MaxLength=260
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\[[0-9a-f:.]+\]):[0-9]{1,5}$`
	Relay string `json:"relay,omitempty"`
}

// DNSSpec is what the operator needs to know to list the records to publish.
type DNSSpec struct {
	// Addresses are the public addresses of the gateways.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Addresses []Address `json:"addresses,omitempty"`
}

// Address is an IP address.
// +kubebuilder:validation:MaxLength=45
// +kubebuilder:validation:XValidation:rule="isIP(self)",message="must be an IP address"
type Address string

// PlatformStatus is what the operator found and did.
type PlatformStatus struct {
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ObservedGeneration is the last generation that was carried out completely.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// +optional
	Gateways ReplicaCount `json:"gateways,omitempty"`

	// Ministries is how many ministries there are.
	// +optional
	Ministries int32 `json:"ministries"`

	// Endpoints are where the gateways serve.
	// +optional
	// +listType=map
	// +listMapKey=protocol
	// +kubebuilder:validation:MaxItems=16
	Endpoints []Endpoint `json:"endpoints,omitempty"`

	// DNSRecords are the records to publish for the shared domain.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	DNSRecords []DNSRecord `json:"dnsRecords,omitempty"`

	// MTASTSPolicy is the text to serve at https://mta-sts.<domain>/.well-known/mta-sts.txt (RFC 8461, 3.2).
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	MTASTSPolicy string `json:"mtaSTSPolicy,omitempty"`

	// CertificateAuthority names the Secret whose ca.crt clients must trust, as namespace/name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	CertificateAuthority string `json:"certificateAuthority,omitempty"`
}

// ReplicaCount counts Pods.
type ReplicaCount struct {
	// +optional
	Ready int32 `json:"ready"`
	// +optional
	Total int32 `json:"total"`
}

// PlatformList is a list of platforms.
//
// +kubebuilder:object:root=true
type PlatformList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Platform `json:"items"`
}
