package wire

import (
	"math/rand/v2"
	"slices"

	parrot "github.com/refraction-networking/utls"
)

// Hello is which TLS hello a software sends. It can be compared: equal ones differ only by what the software itself makes
// anew each time, as Chrome the order of its extensions. The zero Hello is that of crypto/tls.
type Hello struct {
	kind hello
	seed uint64 // of a variation; 0: as the software comes
}

// hello is a TLS library in the settings of a software.
type hello uint8

const (
	nativeHello hello = iota
	chromiumHello
	firefoxHello
	safariHello
	conscryptHello // Android's, under okhttp
	curlHello      // libcurl over OpenSSL 3.5
	pythonHello    // ssl of Python over OpenSSL 3.0
	nodeHello
	javaHello
	gnutlsHello
	agedHello // Chromium's of 2020, on phones that get no other
	nssHello  // of old: thunderbird's and seamonkey's cousins without ECH
	hellos
)

// Extensions that utls has no type for, or that stand for something (RFC 8701).
const (
	grease           = parrot.GREASE_PLACEHOLDER
	encryptThenMAC   = 22
	sessionTicket    = 35
	postHandshake    = 49
	encryptedHello   = 65037
	newALPS          = 17613
	renegotiation    = 65281
	recordSize       = 0x4001 // Firefox's limit (RFC 8449)
	extendedMaster   = 23
	delegated        = 34
	compressed       = 27
	padding          = 21
	keyShare         = 51
	versions         = 43
	pskModes         = 45
	schemesCert      = 50
	statusRequest    = 5
	statusRequestV2  = 17
	serverNameNumber = 0
	groups           = 10
	points           = 11
	schemes          = 13
	alpn             = 16
	timestamps       = 18
	limit            = 28
)

// sketch is a hello as a table: what utls makes its own types of.
type sketch struct {
	ciphers    []uint16
	extensions []uint16 // in order; pre_shared_key is added where tickets is set and there is one
	versions   []uint16
	groups     []parrot.CurveID
	shares     []parrot.CurveID
	schemes    []parrot.SignatureScheme
	points     []byte
	compress   []parrot.CertCompressionAlgo
	shuffled   bool // the order of extensions changes from hello to hello
	tickets    bool // comes back with pre_shared_key (RFC 8446 §4.2.11)
	instead    bool // … and then without session_ticket
}

// spec returns the hello for utls, nil for that of crypto/tls. It offers protocols, none if there are none, and a session if there is one to
// resume.
func (h Hello) spec(protocols []string, resumes bool) *parrot.ClientHelloSpec {
	if h.kind == nativeHello || h.kind >= hellos {
		return nil
	}
	s := sketches[h.kind]
	if h.seed != 0 {
		s = s.vary(rand.New(rand.NewPCG(h.seed, uint64(h.kind))))
	}
	spec := &parrot.ClientHelloSpec{CipherSuites: slices.Clone(s.ciphers), CompressionMethods: []byte{0}}
	for _, number := range s.extensions {
		if resumes && s.instead && number == sessionTicket {
			continue
		}
		if e := s.extension(number, protocols); e != nil {
			spec.Extensions = append(spec.Extensions, e)
		}
	}
	if s.shuffled {
		spec.Extensions = parrot.ShuffleChromeTLSExtensions(spec.Extensions)
	}
	if s.tickets {
		spec.Extensions = append(spec.Extensions, &parrot.UtlsPreSharedKeyExtension{})
	}
	return spec
}

// extension returns an extension of the sketch, nil if it has nothing to say.
func (s *sketch) extension(number uint16, protocols []string) parrot.TLSExtension {
	switch number {
	case grease:
		return &parrot.UtlsGREASEExtension{}
	case serverNameNumber:
		return &parrot.SNIExtension{}
	case statusRequest:
		return &parrot.StatusRequestExtension{}
	case statusRequestV2:
		return &parrot.StatusRequestV2Extension{}
	case groups:
		return &parrot.SupportedCurvesExtension{Curves: slices.Clone(s.groups)}
	case points:
		return &parrot.SupportedPointsExtension{SupportedPoints: slices.Clone(s.points)}
	case schemes:
		return &parrot.SignatureAlgorithmsExtension{SupportedSignatureAlgorithms: s.schemes}
	case schemesCert:
		return &parrot.SignatureAlgorithmsCertExtension{SupportedSignatureAlgorithms: s.schemes}
	case alpn:
		if len(protocols) == 0 {
			return nil
		}
		return &parrot.ALPNExtension{AlpnProtocols: protocols}
	case timestamps:
		return &parrot.SCTExtension{}
	case extendedMaster:
		return &parrot.ExtendedMasterSecretExtension{}
	}
	return s.newer(number, protocols)
}

// newer returns an extension of TLS 1.3 and of browsers.
func (s *sketch) newer(number uint16, protocols []string) parrot.TLSExtension {
	switch number {
	case compressed:
		return &parrot.UtlsCompressCertExtension{Algorithms: s.compress}
	case limit:
		return &parrot.FakeRecordSizeLimitExtension{Limit: recordSize}
	case delegated:
		return &parrot.FakeDelegatedCredentialsExtension{SupportedSignatureAlgorithms: []parrot.SignatureScheme{
			parrot.ECDSAWithP256AndSHA256, parrot.ECDSAWithP384AndSHA384, parrot.ECDSAWithP521AndSHA512, parrot.ECDSAWithSHA1,
		}}
	case sessionTicket:
		return &parrot.SessionTicketExtension{}
	case versions:
		return &parrot.SupportedVersionsExtension{Versions: slices.Clone(s.versions)}
	case pskModes:
		return &parrot.PSKKeyExchangeModesExtension{Modes: []byte{parrot.PskModeDHE}}
	case keyShare:
		return &parrot.KeyShareExtension{KeyShares: s.keyShares()}
	case newALPS:
		if !slices.Contains(protocols, "h2") {
			return nil
		}
		return &parrot.ApplicationSettingsExtensionNew{SupportedProtocols: []string{"h2"}}
	case padding:
		return &parrot.UtlsPaddingExtension{GetPaddingLen: parrot.BoringPaddingStyle}
	case encryptedHello:
		return parrot.BoringGREASEECH()
	case renegotiation:
		return &parrot.RenegotiationInfoExtension{Renegotiation: parrot.RenegotiateOnceAsClient}
	}
	return &parrot.GenericExtension{Id: number} // encrypt_then_mac, post_handshake_auth: nothing inside
}

func (s *sketch) keyShares() []parrot.KeyShare {
	shares := make([]parrot.KeyShare, 0, len(s.shares))
	for _, group := range s.shares {
		share := parrot.KeyShare{Group: group}
		if group == grease {
			share.Data = []byte{0}
		}
		shares = append(shares, share)
	}
	return shares
}

// vary returns the sketch as somebody has set it who wants no two alike: without some of what a handshake can do without, in
// another order. Servers agree with it all the same.
func (s *sketch) vary(rng *rand.Rand) *sketch {
	v := *s
	aead := []uint16{0xc02b, 0xc02c, 0xc02f, 0xc030} // what servers of TLS 1.2 choose before what utls only offers
	v.ciphers = thin(rng, s.ciphers, func(c uint16) bool { return c>>8 == 0x13 || slices.Contains(aead, c) })
	v.schemes = thin(rng, s.schemes, func(c parrot.SignatureScheme) bool {
		return c == parrot.ECDSAWithP256AndSHA256 || c == parrot.PSSWithSHA256 || c == parrot.PKCS1WithSHA256 || c == parrot.ECDSAWithP384AndSHA384
	})
	optional := []uint16{statusRequest, statusRequestV2, timestamps, delegated, encryptThenMAC, postHandshake, limit, sessionTicket, encryptedHello, schemesCert}
	v.extensions = thin(rng, s.extensions, func(e uint16) bool { return !slices.Contains(optional, e) })
	rng.Shuffle(len(v.extensions), func(i, j int) { v.extensions[i], v.extensions[j] = v.extensions[j], v.extensions[i] })
	return &v
}

// thin returns list without a third of what is not kept.
func thin[T any](rng *rand.Rand, list []T, keep func(T) bool) []T {
	var out []T
	for _, v := range list {
		if drop := rng.IntN(3) == 0; keep(v) || !drop {
			out = append(out, v)
		}
	}
	return out
}
