// Package records lists the DNS records that make mail for a domain find the platform.
package records

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"gouv.tg/messagerie/api/v1alpha1"
)

// maxString is the longest character-string of a TXT record (RFC 1035, 3.3).
const maxString = 255

// Ports are the public ports of the services that clients find by SRV records.
type Ports struct {
	IMAP, IMAPS, Submission, Submissions int32
}

// Input is what the records of one domain are made from.
type Input struct {
	Platform *v1alpha1.Platform
	Ports    Ports
}

// Hostname is what the gateways call themselves.
func Hostname(p *v1alpha1.Platform) string {
	if p.Spec.Hostname != "" {
		return string(p.Spec.Hostname)
	}
	return "mail." + string(p.Spec.Domain)
}

// Domain lists the records of one mail domain but DKIM.
func (in Input) Domain(domain string) []v1alpha1.DNSRecord {
	host := Hostname(in.Platform) + "."
	policy := sha256.Sum256([]byte(PolicyText(in.Platform)))
	postmaster := "postmaster@" + string(in.Platform.Spec.Domain)
	record := func(prefix string, kind v1alpha1.DNSRecordType, data string) v1alpha1.DNSRecord {
		return v1alpha1.DNSRecord{Name: prefix + domain, Type: kind, Data: data}
	}
	srv := func(prefix string, priority int, port int32) v1alpha1.DNSRecord {
		return record(prefix, "SRV", fmt.Sprintf("%d 1 %d %s", priority, port, host))
	}
	return []v1alpha1.DNSRecord{
		record("", "MX", "10 "+host),
		record("", "TXT", Text(in.senderPolicy())),                                      // RFC 7208
		record("_dmarc.", "TXT", Text("v=DMARC1; p=quarantine; adkim=r; aspf=r")),       // RFC 7489
		record("_mta-sts.", "TXT", Text("v=STSv1; id="+hex.EncodeToString(policy[:8]))), // RFC 8461, 3.1
		record("_smtp._tls.", "TXT", Text("v=TLSRPTv1; rua=mailto:"+postmaster)),        // RFC 8460, 3
		srv("_imaps._tcp.", 0, in.Ports.IMAPS), srv("_imap._tcp.", 10, in.Ports.IMAP),   // RFC 6186, 3.2
		srv("_submissions._tcp.", 0, in.Ports.Submissions), srv("_submission._tcp.", 10, in.Ports.Submission), // RFC 8314, 5.1
	}
}

// DKIM is the record of one signing key (RFC 6376, 3.6.1); publicKey is in base64.
func DKIM(domain, selector, publicKey string) v1alpha1.DNSRecord {
	return v1alpha1.DNSRecord{
		Name: selector + "._domainkey." + domain, Type: "TXT", Data: Text("v=DKIM1; k=rsa; p=" + publicKey),
	}
}

// Host lists the address records of the gateways' name.
func (in Input) Host() []v1alpha1.DNSRecord {
	var out []v1alpha1.DNSRecord
	for _, a := range in.Platform.Spec.DNS.Addresses {
		addr, err := netip.ParseAddr(string(a))
		if err != nil {
			continue // the API server accepts addresses only
		}
		kind := v1alpha1.DNSRecordType("AAAA")
		if addr.Is4() {
			kind = "A"
		}
		out = append(out, v1alpha1.DNSRecord{Name: Hostname(in.Platform), Type: kind, Data: addr.String()})
	}
	return out
}

// PolicyText is the MTA-STS policy (RFC 8461, 3.2). It asks for reports and does not yet bind senders:
// outside senders can verify the gateways only once their certificate comes from a public authority.
func PolicyText(p *v1alpha1.Platform) string {
	return "version: STSv1\r\nmode: testing\r\nmx: " + Hostname(p) + "\r\nmax_age: 86400\r\n"
}

// senderPolicy names who may send for the domain: nobody while mail does not leave, else the relay and the gateways.
func (in Input) senderPolicy() string {
	out := in.Platform.Spec.Outbound
	if out.Mode != v1alpha1.OutboundRelay {
		return "v=spf1 -all"
	}
	host, _, err := net.SplitHostPort(out.Relay)
	if err != nil {
		host = out.Relay
	}
	mechanism := "a:" + host
	if addr, err := netip.ParseAddr(host); err == nil {
		mechanism = "ip4:" + addr.String()
		if addr.Is6() {
			mechanism = "ip6:" + addr.String()
		}
	}
	return "v=spf1 mx " + mechanism + " -all"
}

// Text writes a TXT record's data as in a zone file: quoted strings of at most 255 octets.
func Text(s string) string {
	var out []string
	for len(s) > maxString {
		out = append(out, quote(s[:maxString]))
		s = s[maxString:]
	}
	return strings.Join(append(out, quote(s)), " ")
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
