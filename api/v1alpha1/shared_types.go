package v1alpha1

// Pause is one reason why the operator must leave an object alone.
type Pause struct {
	// Reason says who paused the object and why.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Reason string `json:"reason"`
}

// DomainName is a DNS domain in lower case, without the final dot.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$`
type DomainName string

// EndpointProtocol names what is spoken at an endpoint.
// +kubebuilder:validation:Enum=SMTP;LMTP;Submission;Submissions;IMAP;IMAPS
type EndpointProtocol string

// Protocols of endpoints.
const (
	ProtocolSMTP        EndpointProtocol = "SMTP"
	ProtocolLMTP        EndpointProtocol = "LMTP"
	ProtocolSubmission  EndpointProtocol = "Submission"
	ProtocolSubmissions EndpointProtocol = "Submissions"
	ProtocolIMAP        EndpointProtocol = "IMAP"
	ProtocolIMAPS       EndpointProtocol = "IMAPS"
)

// Endpoint is where one protocol is served.
type Endpoint struct {
	// Protocol is what is spoken there.
	Protocol EndpointProtocol `json:"protocol"`
	// Addresses are ip:port, one for each gateway (or for each address of the load balancer).
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	Addresses []string `json:"addresses"`
}

// DNSRecordType is the type of a DNS record.
// +kubebuilder:validation:Enum=A;AAAA;MX;TXT;SRV
type DNSRecordType string

// DNSRecord is one record to publish.
type DNSRecord struct {
	// Name is the owner name, without the final dot.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Type is the record's type.
	Type DNSRecordType `json:"type"`
	// Data is the record's data as it stands in a zone file (RFC 1035, 5.1); text longer than 255 octets comes in several strings.
	// +kubebuilder:validation:MaxLength=2048
	Data string `json:"data"`
}

// ProbeSecret names the Secret in a ministry's namespace with the address, the password and its hash of the account that
// proves that mail goes in and out. The operator keeps the account; it does not count as an agent.
const ProbeSecret = "probe"

// ProbeLocalPart is the local part of that account's address.
const ProbeLocalPart = "messagerie-probe"
