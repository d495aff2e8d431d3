package cell

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/link"
)

// acceptLinks accepts gateways until the listener is closed, and then waits for their sessions.
func (c *cell) acceptLinks(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	handshakes := make(chan struct{}, 64)
	for {
		conn, err := c.linkListen.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() {
				time.Sleep(50 * time.Millisecond) // out of file descriptors
				continue
			}
			return err
		}
		handshakes <- struct{}{}
		wg.Go(func() {
			session, err := link.Accept(ctx, c.traffic.Count(conn), c.linkTLS)
			<-handshakes
			if err != nil {
				c.log.Warn("link refused", "remote", conn.RemoteAddr().String(), "error", err)
				return
			}
			c.serveLink(ctx, session)
		})
	}
}

func (c *cell) serveLink(ctx context.Context, session *link.Session) {
	remote := session.RemoteAddr().String()
	c.log.Info("gateway connected", "remote", remote)
	c.links.add(session)
	err := session.Serve(ctx, c.serveStream)
	c.links.remove(session)
	c.log.Info("gateway disconnected", "remote", remote, "reason", err)
}

// serveStream serves one stream that a gateway opened.
func (c *cell) serveStream(ctx context.Context, st *link.Stream) {
	switch st.Header.Protocol {
	case link.ProtocolAuth:
		if conn := c.auth.serve(ctx, st); conn != nil {
			c.imap.Handle(conn)
		}
	case link.ProtocolDirectory:
		c.addresses.serve(ctx, st)
	case link.ProtocolDelivery:
		if err := c.smtp.HandleDelivery(streams.NewConn(st, st.Header.RemoteAddr)); err != nil {
			c.log.Warn("deliveries over a link broke off", "error", err)
		}
	case link.ProtocolIMAP:
		if conn, ok := c.auth.redeem(ctx, st, link.ServiceIMAP); ok {
			c.imap.Handle(conn)
		} else {
			refuse(st, "* BYE [AUTHENTICATIONFAILED] Log in again\r\n")
		}
	case link.ProtocolSubmission:
		if conn, ok := c.auth.redeem(ctx, st, link.ServiceSubmission); ok {
			_ = c.smtp.HandleSubmission(conn)
		} else {
			refuse(st, "421 4.7.0 log in again\r\n")
		}
	default:
		c.log.Warn("unknown protocol on a link", "protocol", clip(st.Header.Protocol))
	}
}

func refuse(st *link.Stream, text string) {
	_ = st.SetWriteDeadline(time.Now().Add(link.HeaderTimeout))
	_, _ = st.Write([]byte(text))
}
