/* Bodies and signatures. */

#include "notices/message.h"

#include <inttypes.h>

#include "codec/digest.h"
#include "codec/json_out.h"

enum { KEY_MIN = 24, KEY_MAX = 64 };

int message_read_secret(Str text, Buf *ret, Error *err)
{
    Str prefix = STR("whsec_");
    size_t before = ret->len;
    if (str_starts(text, prefix) &&
        digest_read_base64(str_slice(text, prefix.n, text.n), ret) == 0 && !ret->overflowed &&
        ret->len - before >= KEY_MIN && ret->len - before <= KEY_MAX)
        return 0;
    (void)error_set(err, ERR_USAGE,
                    "the secret of a webhook is 'whsec_' and the base64 of %d to %d bytes", KEY_MIN,
                    KEY_MAX);
    return error_fix(err, "make one: echo whsec_$(openssl rand -base64 32)");
}

/* One line: control characters, which a reason may have from a program's output, become spaces. */
static void add_line(Buf *ret, const char *text, bool is_escaped)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n && i < NOTICES_TEXT_MAX; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            buf_addc(ret, ' ');
        else if (is_escaped && c == '&')
            buf_addz(ret, "&amp;");
        else if (is_escaped && c == '<')
            buf_addz(ret, "&lt;");
        else if (is_escaped && c == '>')
            buf_addz(ret, "&gt;");
        else
            buf_addc(ret, (char)c);
    }
}

static void write_line(JsonOut *out, const char *text, bool is_escaped)
{
    auto_buf Buf line = BUF_INIT(NOTICES_TEXT_MAX * 5 + 1);
    add_line(&line, text, is_escaped);
    json_out_kv_str(out, "text", buf_str(&line));
}

void message_standard(const Notice *notice, Buf *ret)
{
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kvz(&out, "type", notice->type);
    json_out_kv_time(&out, "timestamp", notice->now_us);
    write_line(&out, notice->text, false);
    json_out_key(&out, STR("data"));
    json_out_raw(&out, notice->data);
    json_out_end_object(&out);
}

void message_slack(const Notice *notice, Buf *ret)
{
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    write_line(&out, notice->text, true);
    json_out_end_object(&out);
}

void message_sign(Str key, const char *id, int64_t at_s, Str body, Buf *ret)
{
    unsigned char digest[DIGEST_SIZE];
    auto_buf Buf text = BUF_INIT(NOTICES_BODY_MAX + 256);
    buf_printf(&text, "%s.%" PRId64 ".", id, at_s);
    buf_add_str(&text, body);
    digest_hmac_sha256(key, buf_str(&text), digest);
    buf_addz(ret, "v1,");
    digest_add_base64(ret, (Str){(const char *)digest, sizeof(digest)});
}
