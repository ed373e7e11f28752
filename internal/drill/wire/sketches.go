package wire

import (
	"slices"

	parrot "github.com/refraction-networking/utls"
)

// Groups that utls has no name for.
const (
	x448      parrot.CurveID = 30
	ffdhe2048 parrot.CurveID = 256
	ffdhe3072 parrot.CurveID = 257
)

// Signature schemes that utls has no name for.
const (
	ed448          parrot.SignatureScheme = 0x0808
	pssPSS256      parrot.SignatureScheme = 0x0809
	pssPSS384      parrot.SignatureScheme = 0x080a
	pssPSS512      parrot.SignatureScheme = 0x080b
	brainpool256   parrot.SignatureScheme = 0x081a
	brainpool384   parrot.SignatureScheme = 0x081b
	brainpool512   parrot.SignatureScheme = 0x081c
	mldsa44        parrot.SignatureScheme = 0x0904
	mldsa65        parrot.SignatureScheme = 0x0905
	mldsa87        parrot.SignatureScheme = 0x0906
	ecdsaSHA224    parrot.SignatureScheme = 0x0303
	rsaSHA224      parrot.SignatureScheme = 0x0301
	uncompressed                          = 0
	compressedPrim                        = 1
	compressedTwo                         = 2
)

var both = []uint16{parrot.VersionTLS13, parrot.VersionTLS12}

// opensslSchemes are those of OpenSSL 3.0, with SHA-1 and SHA-224 still there for TLS 1.2.
var opensslSchemes = []parrot.SignatureScheme{
	parrot.ECDSAWithP256AndSHA256, parrot.ECDSAWithP384AndSHA384, parrot.ECDSAWithP521AndSHA512, parrot.Ed25519, ed448,
	pssPSS256, pssPSS384, pssPSS512, parrot.PSSWithSHA256, parrot.PSSWithSHA384, parrot.PSSWithSHA512,
	parrot.PKCS1WithSHA256, parrot.PKCS1WithSHA384, parrot.PKCS1WithSHA512, ecdsaSHA224, rsaSHA224,
}

var boringSchemes = []parrot.SignatureScheme{
	parrot.ECDSAWithP256AndSHA256, parrot.PSSWithSHA256, parrot.PKCS1WithSHA256, parrot.ECDSAWithP384AndSHA384, parrot.PSSWithSHA384,
	parrot.PKCS1WithSHA384, parrot.PSSWithSHA512, parrot.PKCS1WithSHA512,
}

var nssSchemes = []parrot.SignatureScheme{
	parrot.ECDSAWithP256AndSHA256, parrot.ECDSAWithP384AndSHA384, parrot.ECDSAWithP521AndSHA512, parrot.PSSWithSHA256, parrot.PSSWithSHA384,
	parrot.PSSWithSHA512, parrot.PKCS1WithSHA256, parrot.PKCS1WithSHA384, parrot.PKCS1WithSHA512, parrot.ECDSAWithSHA1, parrot.PKCS1WithSHA1,
}

// sketches of hellos, as the software of autumn 2026 sends them, as near as published captures and sources tell. Cipher suites are those of
// RFC 8446 §B.4 and IANA's list.
var sketches = [hellos]*sketch{
	chromiumHello: {
		ciphers: []uint16{grease, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35},
		extensions: []uint16{grease, serverNameNumber, extendedMaster, renegotiation, groups, points, sessionTicket, alpn, statusRequest, schemes,
			timestamps, keyShare, pskModes, versions, compressed, newALPS, encryptedHello, grease},
		versions: []uint16{grease, parrot.VersionTLS13, parrot.VersionTLS12},
		groups:   []parrot.CurveID{grease, parrot.X25519MLKEM768, parrot.X25519, parrot.CurveP256, parrot.CurveP384},
		shares:   []parrot.CurveID{grease, parrot.X25519MLKEM768, parrot.X25519},
		schemes:  append([]parrot.SignatureScheme{mldsa44, mldsa65, mldsa87}, boringSchemes...),
		points:   []byte{uncompressed},
		compress: []parrot.CertCompressionAlgo{parrot.CertCompressionBrotli},
		shuffled: true, tickets: true,
	},
	agedHello: {
		ciphers: []uint16{grease, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35},
		extensions: []uint16{grease, serverNameNumber, extendedMaster, renegotiation, groups, points, sessionTicket, alpn, statusRequest, schemes,
			timestamps, keyShare, pskModes, versions, compressed, grease, padding},
		versions: []uint16{grease, parrot.VersionTLS13, parrot.VersionTLS12, parrot.VersionTLS11, parrot.VersionTLS10},
		groups:   []parrot.CurveID{grease, parrot.X25519, parrot.CurveP256, parrot.CurveP384},
		shares:   []parrot.CurveID{grease, parrot.X25519},
		schemes:  append(slices.Clip(boringSchemes), parrot.PKCS1WithSHA1),
		points:   []byte{uncompressed},
		compress: []parrot.CertCompressionAlgo{parrot.CertCompressionBrotli},
		tickets:  true,
	},
	firefoxHello: {
		ciphers: []uint16{0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35},
		extensions: []uint16{serverNameNumber, extendedMaster, renegotiation, groups, points, sessionTicket, alpn, statusRequest, delegated, timestamps,
			keyShare, versions, schemes, pskModes, limit, compressed, encryptedHello},
		versions: both,
		groups:   []parrot.CurveID{parrot.X25519MLKEM768, parrot.X25519, parrot.CurveP256, parrot.CurveP384, parrot.CurveP521},
		shares:   []parrot.CurveID{parrot.X25519MLKEM768, parrot.X25519, parrot.CurveP256},
		schemes:  nssSchemes,
		points:   []byte{uncompressed},
		compress: []parrot.CertCompressionAlgo{parrot.CertCompressionZlib, parrot.CertCompressionBrotli, parrot.CertCompressionZstd},
		tickets:  true, instead: true,
	},
	safariHello: {
		ciphers: []uint16{grease, 0x1302, 0x1303, 0x1301, 0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8, 0xc00a, 0xc009, 0xc014, 0xc013,
			0x9d, 0x9c, 0x35, 0x2f, 0xc008, 0xc012, 0x0a},
		extensions: []uint16{grease, serverNameNumber, extendedMaster, renegotiation, groups, points, alpn, statusRequest, schemes, timestamps,
			keyShare, pskModes, versions, compressed, grease},
		versions: []uint16{grease, parrot.VersionTLS13, parrot.VersionTLS12},
		groups:   []parrot.CurveID{grease, parrot.X25519MLKEM768, parrot.X25519, parrot.CurveP256, parrot.CurveP384, parrot.CurveP521},
		shares:   []parrot.CurveID{grease, parrot.X25519MLKEM768, parrot.X25519},
		schemes: []parrot.SignatureScheme{parrot.ECDSAWithP256AndSHA256, parrot.PSSWithSHA256, parrot.PKCS1WithSHA256, parrot.ECDSAWithP384AndSHA384,
			parrot.PSSWithSHA384, parrot.PSSWithSHA384, parrot.PKCS1WithSHA384, parrot.PSSWithSHA512, parrot.PKCS1WithSHA512, parrot.PKCS1WithSHA1},
		points:   []byte{uncompressed},
		compress: []parrot.CertCompressionAlgo{parrot.CertCompressionZlib},
	},
	conscryptHello: {
		ciphers:    []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35},
		extensions: []uint16{serverNameNumber, extendedMaster, renegotiation, groups, points, sessionTicket, alpn, statusRequest, schemes, keyShare, pskModes, versions, padding},
		versions:   both,
		groups:     []parrot.CurveID{parrot.X25519, parrot.CurveP256, parrot.CurveP384},
		shares:     []parrot.CurveID{parrot.X25519},
		schemes:    append(slices.Clip(boringSchemes), parrot.PKCS1WithSHA1),
		points:     []byte{uncompressed},
		tickets:    true,
	},
	curlHello: {
		ciphers: []uint16{0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x9f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x9e, 0xc024, 0xc028, 0x6b, 0xc023,
			0xc027, 0x67, 0xc00a, 0xc014, 0x39, 0xc009, 0xc013, 0x33, 0x9d, 0x9c, 0x3d, 0x3c, 0x35, 0x2f},
		extensions: []uint16{renegotiation, serverNameNumber, points, groups, sessionTicket, alpn, encryptThenMAC, extendedMaster, postHandshake, schemes,
			versions, pskModes, keyShare},
		versions: both,
		groups:   []parrot.CurveID{parrot.X25519MLKEM768, parrot.X25519, parrot.CurveP256, x448, parrot.CurveP384, parrot.CurveP521, ffdhe2048, ffdhe3072},
		shares:   []parrot.CurveID{parrot.X25519MLKEM768, parrot.X25519},
		schemes: append([]parrot.SignatureScheme{mldsa65, mldsa87, mldsa44}, append(opensslSchemes[:8:8],
			brainpool256, brainpool384, brainpool512, parrot.PSSWithSHA256, parrot.PSSWithSHA384, parrot.PSSWithSHA512,
			parrot.PKCS1WithSHA256, parrot.PKCS1WithSHA384, parrot.PKCS1WithSHA512)...),
		points: []byte{uncompressed, compressedPrim, compressedTwo},
	},
	pythonHello: {
		ciphers: []uint16{0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0x9f, 0x9e, 0xccaa, 0xc024, 0xc028, 0xc023, 0xc027,
			0x6b, 0x67, 0xff},
		extensions: []uint16{serverNameNumber, points, groups, sessionTicket, alpn, encryptThenMAC, extendedMaster, schemes, versions, pskModes, keyShare},
		versions:   both,
		groups:     []parrot.CurveID{parrot.X25519, parrot.CurveP256, x448, parrot.CurveP521, parrot.CurveP384, ffdhe2048, ffdhe3072},
		shares:     []parrot.CurveID{parrot.X25519},
		schemes:    opensslSchemes,
		points:     []byte{uncompressed, compressedPrim, compressedTwo},
	},
	nodeHello: {
		ciphers: []uint16{0x1302, 0x1303, 0x1301, 0xc02f, 0xc02b, 0xc030, 0xc02c, 0x9e, 0xc027, 0x67, 0xc028, 0x6b, 0xa3, 0x9f, 0xcca9, 0xcca8, 0xccaa,
			0xc0af, 0xc0ad, 0xc0a3, 0xc09f, 0xc05d, 0xc061, 0xc057, 0xc053, 0xa2, 0xc0ae, 0xc0ac, 0xc0a2, 0xc09e, 0xc05c, 0xc060, 0xc056, 0xc052,
			0xc024, 0x6a, 0xc023, 0x40, 0xc00a, 0xc014, 0x39, 0x38, 0xc009, 0xc013, 0x33, 0x32, 0x9d, 0xc0a1, 0xc09d, 0xc051, 0x9c, 0xc0a0, 0xc09c,
			0xc050, 0x3d, 0x3c, 0x35, 0x2f, 0xff},
		extensions: []uint16{serverNameNumber, points, groups, sessionTicket, alpn, encryptThenMAC, extendedMaster, schemes, versions, pskModes, keyShare},
		versions:   both,
		groups:     []parrot.CurveID{parrot.X25519, parrot.CurveP256, x448, parrot.CurveP521, parrot.CurveP384, ffdhe2048, ffdhe3072},
		shares:     []parrot.CurveID{parrot.X25519},
		schemes:    opensslSchemes[:14],
		points:     []byte{uncompressed, compressedPrim, compressedTwo},
		tickets:    true,
	},
	javaHello: {
		ciphers: []uint16{0x1302, 0x1301, 0x1303, 0xc02c, 0xcca9, 0xc02b, 0xc030, 0xcca8, 0xc02f, 0x9f, 0xccaa, 0xa3, 0x9e, 0xa2, 0xc024, 0xc028, 0xc023,
			0xc027, 0x6b, 0x6a, 0x67, 0x40, 0xc00a, 0xc014, 0xc009, 0xc013, 0x39, 0x38, 0x33, 0x32, 0x9d, 0x9c, 0x3d, 0x3c, 0x35, 0x2f, 0xff},
		extensions: []uint16{serverNameNumber, statusRequest, groups, points, statusRequestV2, extendedMaster, sessionTicket, schemes, versions, pskModes,
			schemesCert, keyShare, alpn},
		versions: both,
		groups:   []parrot.CurveID{parrot.X25519, parrot.CurveP256, parrot.CurveP384, parrot.CurveP521, x448, ffdhe2048, ffdhe3072},
		shares:   []parrot.CurveID{parrot.X25519, parrot.CurveP256},
		schemes: []parrot.SignatureScheme{parrot.ECDSAWithP256AndSHA256, parrot.ECDSAWithP384AndSHA384, parrot.ECDSAWithP521AndSHA512, parrot.Ed25519, ed448,
			parrot.PSSWithSHA256, parrot.PSSWithSHA384, parrot.PSSWithSHA512, pssPSS256, pssPSS384, pssPSS512,
			parrot.PKCS1WithSHA256, parrot.PKCS1WithSHA384, parrot.PKCS1WithSHA512},
		points:  []byte{uncompressed},
		tickets: true,
	},
	gnutlsHello: {
		ciphers: []uint16{0x1302, 0x1303, 0x1301, 0x1304, 0xc02c, 0xcca9, 0xc0ad, 0xc00a, 0xc02b, 0xc0ac, 0xc009, 0xc030, 0xcca8, 0xc014, 0xc02f, 0xc013,
			0x9d, 0xc09d, 0x35, 0x9c, 0xc09c, 0x2f, 0x9f, 0xccaa, 0xc09f, 0x39, 0x9e, 0xc09e, 0x33},
		extensions: []uint16{versions, keyShare, schemes, groups, points, encryptThenMAC, extendedMaster, postHandshake, serverNameNumber, renegotiation,
			sessionTicket, limit, alpn, statusRequest, pskModes},
		versions: both,
		groups:   []parrot.CurveID{parrot.CurveP256, parrot.CurveP384, parrot.CurveP521, parrot.X25519, x448, ffdhe2048, ffdhe3072},
		shares:   []parrot.CurveID{parrot.X25519},
		schemes: []parrot.SignatureScheme{parrot.PKCS1WithSHA256, pssPSS256, parrot.PSSWithSHA256, parrot.ECDSAWithP256AndSHA256, parrot.Ed25519, parrot.PKCS1WithSHA384,
			pssPSS384, parrot.PSSWithSHA384, parrot.ECDSAWithP384AndSHA384, ed448, parrot.PKCS1WithSHA512, pssPSS512, parrot.PSSWithSHA512,
			parrot.ECDSAWithP521AndSHA512, parrot.PKCS1WithSHA1, parrot.ECDSAWithSHA1},
		points: []byte{uncompressed},
	},
	nssHello: {
		ciphers:    []uint16{0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030, 0xc00a, 0xc013, 0xc014, 0x33, 0x39, 0x2f, 0x35},
		extensions: []uint16{serverNameNumber, extendedMaster, renegotiation, groups, points, sessionTicket, alpn, statusRequest, keyShare, versions, schemes, pskModes, limit},
		versions:   both,
		groups:     []parrot.CurveID{parrot.X25519, parrot.CurveP256, parrot.CurveP384, parrot.CurveP521, ffdhe2048, ffdhe3072},
		shares:     []parrot.CurveID{parrot.X25519, parrot.CurveP256},
		schemes:    nssSchemes,
		points:     []byte{uncompressed},
	},
}
