package local

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
)

const proofTimeout = 30 * time.Second

// Proof is one message that really went from one ministry to another.
type Proof struct {
	From, To string
	Took     time.Duration // from connecting for submission to the message read back
}

// probe is the account of one ministry that the operator keeps for such messages.
type probe struct{ address, password string }

// Prove submits a message from the first ministry's probe to the last one's over STARTTLS and reads it back over
// IMAPS, both verified against the installation's own authority. Without a ministry there is nothing to prove: nil.
func Prove(ctx context.Context, c client.Client) (*Proof, error) {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	var ministries v1alpha1.MinistryList
	if err := c.List(ctx, &ministries); err != nil {
		return nil, fmt.Errorf("cannot list ministries: %w", err)
	}
	if len(ministries.Items) == 0 {
		return nil, nil
	}
	from, err := readProbe(ctx, c, &ministries.Items[0])
	if err != nil {
		return nil, err
	}
	to, err := readProbe(ctx, c, &ministries.Items[len(ministries.Items)-1])
	if err != nil {
		return nil, err
	}
	var platform v1alpha1.Platform
	if err := c.Get(ctx, client.ObjectKey{Name: v1alpha1.PlatformName}, &platform); err != nil {
		return nil, fmt.Errorf("cannot read the platform: %w", err)
	}
	config, err := clientTLS(ctx, c, &platform)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	token := rand.Text()
	if err := submit(ctx, endpoint(&platform, v1alpha1.ProtocolSubmission), config, from, to, token); err != nil {
		return nil, fmt.Errorf("cannot submit from %s to %s: %w", from.address, to.address, err)
	}
	if err := readBack(ctx, endpoint(&platform, v1alpha1.ProtocolIMAPS), config, to, token); err != nil {
		return nil, fmt.Errorf("cannot read back at %s: %w", to.address, err)
	}
	return &Proof{from.address, to.address, time.Since(began)}, nil
}

func readProbe(ctx context.Context, c client.Client, ministry *v1alpha1.Ministry) (probe, error) {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: ministry.Status.Namespace, Name: v1alpha1.ProbeSecret}
	if err := c.Get(ctx, key, &secret); err != nil {
		return probe{}, fmt.Errorf("cannot read the probe account of %s: %w", ministry.Name, err)
	}
	return probe{string(secret.Data["address"]), string(secret.Data["password"])}, nil
}

func endpoint(platform *v1alpha1.Platform, protocol v1alpha1.EndpointProtocol) string {
	i := slices.IndexFunc(platform.Status.Endpoints, func(e v1alpha1.Endpoint) bool { return e.Protocol == protocol })
	if i < 0 || len(platform.Status.Endpoints[i].Addresses) == 0 {
		return ""
	}
	return platform.Status.Endpoints[i].Addresses[0]
}

func clientTLS(ctx context.Context, c client.Client, platform *v1alpha1.Platform) (*tls.Config, error) {
	authority, err := ReadAuthority(ctx, c, platform)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("cannot read the installation's authority: no certificate in it")
	}
	name := string(platform.Spec.Hostname)
	if name == "" {
		name = "mail." + string(platform.Spec.Domain)
	}
	return &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12}, nil
}

// ReadAuthority is the certificate, in PEM, that agents' programs must trust.
func ReadAuthority(ctx context.Context, c client.Client, platform *v1alpha1.Platform) ([]byte, error) {
	namespace, name, _ := strings.Cut(platform.Status.CertificateAuthority, "/")
	var secret corev1.Secret
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret); err != nil {
		return nil, fmt.Errorf("cannot read the installation's authority: %w", err)
	}
	return secret.Data[corev1.TLSCertKey], nil
}

func submit(ctx context.Context, address string, config *tls.Config, from, to probe, token string) error {
	session, err := smtp.DialStartTLS(address, config)
	if err != nil {
		return err
	}
	defer session.Close()
	defer context.AfterFunc(ctx, func() { session.Close() })()
	if err := session.Auth(sasl.NewPlainClient("", from.address, from.password)); err != nil {
		return err
	}
	text := fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: Messagerie self-proof\r\nDate: %s\r\nMessage-ID: <%s@self-proof>\r\n\r\n%s\r\n",
		from.address, to.address, time.Now().Format(time.RFC1123Z), token, token)
	if err := session.SendMail(from.address, []string{to.address}, strings.NewReader(text)); err != nil {
		return err
	}
	return session.Quit()
}

// readBack waits for the message by IDLE, compares its text and removes it.
func readBack(ctx context.Context, address string, config *tls.Config, to probe, token string) error {
	arrived := make(chan struct{}, 1)
	session, err := imapclient.DialTLS(address, &imapclient.Options{
		TLSConfig: config,
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(*imapclient.UnilateralDataMailbox) {
			select {
			case arrived <- struct{}{}:
			default:
			}
		}},
	})
	if err != nil {
		return err
	}
	defer session.Close()
	defer context.AfterFunc(ctx, func() { session.Close() })()
	if err := session.Login(to.address, to.password).Wait(); err != nil {
		return err
	}
	if _, err := session.Select("INBOX", nil).Wait(); err != nil {
		return err
	}
	for {
		found, err := session.UIDSearch(&imap.SearchCriteria{
			Header: []imap.SearchCriteriaHeaderField{{Key: "Message-ID", Value: token}}}, nil).Wait()
		if err != nil {
			return err
		}
		if uids := found.AllUIDs(); len(uids) > 0 {
			return checkAndRemove(session, uids[0], token)
		}
		if err := idle(ctx, session, arrived); err != nil {
			return err
		}
	}
}

func idle(ctx context.Context, session *imapclient.Client, arrived <-chan struct{}) error {
	waiting, err := session.Idle()
	if err != nil {
		return err
	}
	select {
	case <-arrived:
	case <-ctx.Done():
		return fmt.Errorf("the message did not arrive: %w", ctx.Err())
	}
	return errors.Join(waiting.Close(), waiting.Wait())
}

func checkAndRemove(session *imapclient.Client, uid imap.UID, token string) error {
	body := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierText, Peek: true}
	set := imap.UIDSetNum(uid)
	messages, err := session.Fetch(set, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{body}}).Collect()
	if err != nil {
		return err
	}
	if len(messages) != 1 || strings.TrimSpace(string(messages[0].FindBodySection(body))) != token {
		return errors.New("the message's text is not the one that was sent")
	}
	remove := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := session.Store(set, remove, nil).Close(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return session.UIDExpunge(set).Close()
}
