package hello

import (
	"crypto/tls"
	"errors"
	"testing"

	"github.com/seawall/seawall/internal/flow"
)

// TestTold wants an error to be one that the client was told of if it is about what followed its hello, and no other.
func TestTold(t *testing.T) {
	authority := newClientAuthority(t, "First")
	p := compile(t, authority.zone(true))
	r := newRoomWith(t, t.TempDir(), Options{Policy: func(host string) *Policy {
		if host == "members.example" {
			return p
		}
		return nil
	}})
	stranger := newClientAuthority(t, "Second").client(t, "theirs", 1<<40)
	tests := []struct {
		name   string
		config *tls.Config
		told   bool
	}{
		{"no certificate", &tls.Config{ServerName: "members.example", InsecureSkipVerify: true}, true},
		{"no certificate in TLS 1.2", &tls.Config{ServerName: "members.example", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}, true},
		{"another authority's", &tls.Config{ServerName: "members.example", InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return stranger, nil
		}}, true},
		{"a version that is not spoken", &tls.Config{ServerName: "members.example", InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		{"a protocol that is not spoken", &tls.Config{ServerName: "members.example", InsecureSkipVerify: true, NextProtos: []string{"other"}}, false},
		{"a client that refuses", &tls.Config{ServerName: "members.example"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := talk(r, tt.config, from(1), 4096)
			if told, ok := errors.AsType[*flow.Told](err); err == nil || ok != tt.told {
				t.Errorf("got %v, told %v, want an error and %v", err, told, tt.told)
			}
		})
	}
}
