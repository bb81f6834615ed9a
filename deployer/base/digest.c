#include "base/digest.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/alloc.h"
#include "base/encode.h"

/*
 * By the functions that OpenSSL 3 deprecates for EVP: its first call loads providers and the
 * configuration, which takes longer than all that a command without a network digests.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

void digest_sha256(struct str data, unsigned char ret[DIGEST_SHA256_BYTES])
{
    SHA256_CTX c;

    if (SHA256_Init(&c) != 1 || SHA256_Update(&c, data.p, data.len) != 1
            || SHA256_Final(ret, &c) != 1)
        die_oom();
}

static void digest_sha1(struct str data, unsigned char ret[SHA_DIGEST_LENGTH])
{
    SHA_CTX c;

    if (SHA1_Init(&c) != 1 || SHA1_Update(&c, data.p, data.len) != 1 || SHA1_Final(ret, &c) != 1)
        die_oom();
}

#pragma GCC diagnostic pop

void digest_sha256_hex(struct str data, char ret[DIGEST_HEX_SIZE])
{
    unsigned char raw[DIGEST_SHA256_BYTES];
    AUTO(buf) struct buf hex = BUF_INIT(DIGEST_HEX_SIZE);

    digest_sha256(data, raw);
    encode_hex(&hex, raw, sizeof(raw));
    memcpy(ret, buf_text(&hex), DIGEST_HEX_SIZE);
}

void digest_hmac_sha256(struct str key, struct str data, unsigned char ret[DIGEST_SHA256_BYTES])
{
    unsigned int len = 0;

    if (HMAC(EVP_sha256(), key.p, (int)key.len, (const unsigned char *)data.p, data.len, ret, &len)
            == NULL)
        die_oom();
}

char *digest_secret(const struct secret *s, struct str salt)
{
    const struct str value = secret_reveal(s);
    unsigned char raw[DIGEST_SHA256_BYTES];
    struct buf text = BUF_INIT(BUF_TEXT_MAX);

    if (EVP_PBE_scrypt(value.p, value.len, (const unsigned char *)salt.p, salt.len, 8192, 8, 1,
                32u << 20, raw, sizeof(raw))
            != 1)
        die_oom();
    buf_add_text(&text, "scrypt:");
    encode_hex(&text, raw, sizeof(raw));
    return buf_take(&text);
}

void digest_random(void *p, size_t len)
{
    if (RAND_bytes(p, (int)len) != 1)
        die_oom();
}

char *digest_random_text(const char *alphabet, size_t len)
{
    const size_t n = strlen(alphabet);
    const unsigned limit =
            256 - 256 % (unsigned)n; /* above it, bytes would favour the first ones */
    char *text = xcalloc(len + 1, 1);

    for (size_t i = 0; i < len;) {
        unsigned char byte = 0;

        digest_random(&byte, 1);
        if (byte < limit)
            text[i++] = alphabet[byte % n];
    }
    return text;
}

static void uuid_text(unsigned char b[16], unsigned version, char ret[DIGEST_UUID_SIZE])
{
    b[6] = (unsigned char)((b[6] & 0x0f) | version << 4);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(ret, DIGEST_UUID_SIZE,
            "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
            b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
            b[15]);
}

void digest_uuid4(char ret[DIGEST_UUID_SIZE])
{
    unsigned char b[16];

    digest_random(b, sizeof(b));
    uuid_text(b, 4, ret);
}

void digest_uuid5(struct str name, char ret[DIGEST_UUID_SIZE])
{
    static const unsigned char url_namespace[16] = { 0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1,
        0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
    AUTO(buf) struct buf data = BUF_INIT(BUF_TEXT_MAX);
    unsigned char sha1[SHA_DIGEST_LENGTH];

    buf_add(&data, url_namespace, sizeof(url_namespace));
    buf_add_str(&data, name);
    digest_sha1(buf_str(&data), sha1);
    uuid_text(sha1, 5, ret);
}
