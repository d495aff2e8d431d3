package controlplane

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// etcdQuotaBytes bounds the database: 70,000 accounts and their objects stay under 100 MiB.
const etcdQuotaBytes = 2 << 30

// startEtcd runs one member on a loopback port the kernel chooses, mutual TLS on, every write synced.
func startEtcd(ctx context.Context, dataDir string, creds *credentials) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Name = "messagerie"
	config.Dir = filepath.Join(dataDir, "etcd")
	config.QuotaBackendBytes = etcdQuotaBytes
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	anyPort := url.URL{Scheme: "https", Host: "127.0.0.1:0"}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{anyPort}, []url.URL{anyPort}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{anyPort}, []url.URL{anyPort}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.EnableGRPCGateway = false
	identity := transport.TLSInfo{
		CertFile: creds.path("etcd.crt"), KeyFile: creds.path("etcd.key"),
		TrustedCAFile: creds.path("ca.crt"), ClientCertAuth: true,
	}
	config.ClientTLSInfo, config.PeerTLSInfo = identity, identity
	// One member elects itself: short timers only shorten the start.
	config.TickMs, config.ElectionMs = 10, 100

	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("cannot start etcd: %w", err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case err := <-etcd.Err():
		etcd.Close()
		return nil, fmt.Errorf("cannot start etcd: %w", err)
	case <-ctx.Done():
		etcd.Close()
		return nil, ctx.Err()
	}
}
