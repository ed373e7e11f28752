package cert

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"github.com/seawall/seawall/internal/spec"
)

const (
	// issueTimeout bounds what one authority may take to issue a certificate, requestTimeout one request to it.
	issueTimeout   = 5 * time.Minute
	requestTimeout = 30 * time.Second
	// restTime is how long an authority that can't be reached is not asked again, for any host.
	restTime = time.Minute
	// responseMax bounds what an authority sends in one response, in bytes.
	responseMax = 1 << 20
)

// authority is a certificate authority, as certmagic's issuer. Its requests are bounded in time and size.
type authority struct {
	spec    spec.Authority
	email   string
	key     string // names it in the storage
	client  *acmez.Client
	storage storage
	log     *slog.Logger

	mu      sync.Mutex // held while an account is looked up, which all hosts have to wait for
	account acme.Account
	rest    time.Time // not asked until then
}

func (m *Manager) newAuthority(s spec.Authority, email string) (*authority, error) {
	if u, err := url.Parse(s.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("authority %q: want the https:// URL of an ACME directory, such as %s", s.Directory, spec.LetsEncrypt)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if s.CA != "" {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(s.CA)) {
			return nil, fmt.Errorf("authority %s: its ca has no certificate in PEM form", s.Directory)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &authority{
		spec:    s,
		email:   email,
		key:     (&certmagic.ACMEIssuer{CA: s.Directory}).IssuerKey(),
		storage: m.storage,
		log:     m.log,
		client: &acmez.Client{
			Client: &acme.Client{
				Directory:  s.Directory,
				UserAgent:  "Seawall",
				HTTPClient: &http.Client{Transport: bounded{transport}, Timeout: requestTimeout},
			},
			ChallengeSolvers: map[string]acmez.Solver{
				acme.ChallengeTypeHTTP01:    &m.challenges,
				acme.ChallengeTypeTLSALPN01: &m.challenges,
			},
		},
	}, nil
}

// bounded bounds the bodies of responses.
type bounded struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.Transport.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, responseMax)
	}
	return response, err
}

// try is one attempt of one host, in its context.
type try struct {
	first bool  // none failed before it
	err   error // what the authorities said
}

type tryKey struct{}

// IssuerKey implements [certmagic.Issuer].
func (a *authority) IssuerKey() string { return a.key }

// Issue implements [certmagic.Issuer].
func (a *authority) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	bound, cancel := context.WithTimeout(ctx, issueTimeout)
	defer cancel()
	t := ctx.Value(tryKey{}).(*try)
	chain, err := a.obtain(bound, csr, t.first)
	if err == nil {
		return &certmagic.IssuedCertificate{Certificate: chain.ChainPEM, Metadata: chain}, nil
	}
	err = fmt.Errorf("%s: %w", a.spec.Directory, a.note(err))
	if t.err != nil {
		t.err = fmt.Errorf("%w; %w", t.err, err)
	} else {
		t.err = err
	}
	return nil, err
}

// obtain has the certificate issued for which csr asks.
func (a *authority) obtain(ctx context.Context, csr *x509.CertificateRequest, first bool) (chain acme.Certificate, err error) {
	for range 2 {
		var account acme.Account
		if account, err = a.enter(ctx); err != nil {
			return chain, err
		}
		var order acmez.OrderParameters
		if order, err = acmez.OrderParametersFromCSR(account, csr); err != nil {
			return chain, err
		}
		if first { // an order may be refused for what it replaces alone
			order.Replaces = a.former(ctx, csr.DNSNames[0])
		}
		var chains []acme.Certificate
		chains, err = a.client.ObtainCertificate(ctx, order)
		if len(chains) > 0 {
			return chains[0], nil
		}
		if !is(err, acme.ProblemTypeAccountDoesNotExist) {
			break
		}
		a.leave()
	}
	if err == nil {
		err = errors.New("no certificate in the response")
	}
	return chain, err
}

// GetRenewalInfo implements [certmagic.RenewalInfoGetter].
func (a *authority) GetRenewalInfo(ctx context.Context, c certmagic.Certificate) (info acme.RenewalInfo, err error) {
	bound, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err = a.resting(); err == nil {
		info, err = a.client.GetRenewalInfo(bound, c.Leaf)
	}
	if err != nil && ctx.Err() == nil {
		a.log.Debug("no renewal information", "authority", a.spec.Directory, "host", c.Names[0], "error", a.note(err))
	}
	return info, err
}

// former is the certificate that this authority issued for a host before, nil if there is none, or if it would make nothing of it.
func (a *authority) former(ctx context.Context, name string) *x509.Certificate {
	if d, err := a.client.GetDirectory(ctx); err != nil || d.RenewalInfo == "" {
		return nil
	}
	text, err := a.storage.Load(ctx, certmagic.StorageKeys.SiteCert(a.key, name))
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return c
}

// note has the authority rest if it can't be reached.
func (a *authority) note(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.noteLocked(err)
}

func (a *authority) noteLocked(err error) error {
	var request *url.Error
	if errors.As(err, &request) && !errors.Is(err, context.Canceled) {
		a.rest = time.Now().Add(restTime)
	}
	return err
}

func (a *authority) resting() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.restingLocked()
}

func (a *authority) restingLocked() error {
	if time.Now().Before(a.rest) {
		return errors.New("could not be reached a moment ago")
	}
	return nil
}

// leave forgets the account, which the authority does not know any more.
func (a *authority) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.account = acme.Account{}
}

// enter returns the account at the authority, and makes it if there is none. The account is its key, which alone is kept on disk.
func (a *authority) enter(ctx context.Context) (acme.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.restingLocked(); err != nil || a.account.Location != "" {
		return a.account, err
	}
	key, err := a.accountKey(ctx)
	if err != nil {
		return acme.Account{}, fmt.Errorf("reading the account's key: %w", err)
	}
	account, err := a.client.GetAccount(ctx, acme.Account{PrivateKey: key.(crypto.Signer)})
	if is(err, acme.ProblemTypeAccountDoesNotExist) {
		account, err = a.register(ctx, key.(crypto.Signer))
	}
	if err != nil {
		return acme.Account{}, fmt.Errorf("opening an account: %w", a.noteLocked(err)) // before the next host asks
	}
	a.account = account
	return account, nil
}

func (a *authority) register(ctx context.Context, key crypto.Signer) (acme.Account, error) {
	account := acme.Account{PrivateKey: key, Contact: []string{"mailto:" + a.email}, TermsOfServiceAgreed: true}
	if a.spec.KeyID != "" {
		binding := acme.EAB{KeyID: a.spec.KeyID, MACKey: strings.TrimRight(a.spec.HMAC, "=")}
		if err := account.SetExternalAccountBinding(ctx, a.client.Client, binding); err != nil {
			return account, fmt.Errorf("binding the account to %s: %w", a.spec.KeyID, err)
		}
	}
	return a.client.NewAccount(ctx, account)
}

// accountKey reads the account's private key, and makes it if there is none.
func (a *authority) accountKey(ctx context.Context) (crypto.PrivateKey, error) {
	at := path.Join("accounts", a.key, certmagic.StorageKeys.Safe(a.email+"_"+a.spec.KeyID)+".key")
	text, err := a.storage.Load(ctx, at)
	if err == nil {
		return certmagic.PEMDecodePrivateKey(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := certmagic.StandardKeyGenerator{KeyType: certmagic.P256}.GenerateKey()
	if err != nil {
		return nil, err
	}
	if text, err = certmagic.PEMEncodePrivateKey(key); err != nil {
		return nil, err
	}
	return key, a.storage.Store(ctx, at, text)
}

// is tells whether an authority reported a problem of a type (RFC 8555 §6.7).
func is(err error, problem string) bool {
	var p acme.Problem
	return errors.As(err, &p) && p.Type == problem
}
