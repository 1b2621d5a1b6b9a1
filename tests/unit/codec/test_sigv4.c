/* Signatures against the examples that AWS publishes: the S3 reference ("Examples: Signature
   Calculations") and the signing test suite. tests/integration/test_sigv4.py compares with a signer
   of its own. */
#include "cmocka_all.h"

#include "base/clock.h"
#include "codec/digest.h"
#include "codec/sigv4.h"

static const Sigv4Keys s3_keys = {
    .access_key = {"AKIAIOSFODNN7EXAMPLE", 20},
    .secret_key = {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40},
};

static const Sigv4Keys suite_keys = {
    .access_key = {"AKIDEXAMPLE", 11},
    .secret_key = {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40},
};

static int64_t instant(const char *text)
{
    int64_t us = 0;
    assert_int_equal(clock_parse(str_of(text), &us), 0);
    return us;
}

static void assert_signed(const Sigv4Request *request, const Sigv4Keys *keys, const char *expected)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(4096);
    assert_int_equal(sigv4_sign(request, keys, &text, &err), 0);
    assert_string_equal(text.data, expected);
}

static Sigv4Request s3_request(const char *method, const char *path, const char *query,
                               const Sigv4Header *headers, size_t n)
{
    return (Sigv4Request){
        .method = method,
        .path = str_of(path),
        .query = str_of(query),
        .headers = headers,
        .n_headers = n,
        .payload_hash = STR(SIGV4_EMPTY),
        .region = "us-east-1",
        .service = "s3",
        .now_us = instant("2013-05-24T00:00:00Z"),
    };
}

#define S3_CREDENTIAL                                                                              \
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
#define HOST                                                                                       \
    {                                                                                              \
        "Host", STR("examplebucket.s3.amazonaws.com")                                              \
    }
#define EMPTY                                                                                      \
    {                                                                                              \
        "x-amz-content-sha256", STR(SIGV4_EMPTY)                                                   \
    }

static void reading_a_range_of_an_object_is_signed_as_in_the_reference(void **state)
{
    (void)state;
    const Sigv4Header headers[] = {HOST, {"Range", STR("bytes=0-9")}, EMPTY};
    Sigv4Request request = s3_request("GET", "/test.txt", "", headers, 3);
    assert_signed(&request, &s3_keys,
                  S3_CREDENTIAL
                  "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                  "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void writing_an_object_is_signed_as_in_the_reference(void **state)
{
    (void)state;
    char hash[DIGEST_HEX_MAX];
    digest_sha256_hex(STR("Welcome to Amazon S3."), hash);
    const Sigv4Header headers[] = {{"Date", STR("Fri, 24 May 2013 00:00:00 GMT")},
                                   HOST,
                                   {"x-amz-storage-class", STR("REDUCED_REDUNDANCY")},
                                   {"x-amz-content-sha256", str_of(hash)}};
    Sigv4Request request = s3_request("PUT", "/test$file.text", "", headers, 4);
    request.payload_hash = str_of(hash);
    assert_signed(&request, &s3_keys,
                  S3_CREDENTIAL
                  "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
                  "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void a_parameter_without_a_value_is_signed_as_in_the_reference(void **state)
{
    (void)state;
    const Sigv4Header headers[] = {HOST, EMPTY};
    Sigv4Request request = s3_request("GET", "/", "lifecycle", headers, 2);
    assert_signed(&request, &s3_keys,
                  S3_CREDENTIAL
                  "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                  "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void parameters_are_sorted(void **state)
{
    (void)state;
    static const char *const queries[] = {"max-keys=2&prefix=J", "prefix=J&max-keys=2",
                                          "&prefix=%4a&&max-keys=2"};
    const Sigv4Header headers[] = {HOST, EMPTY};
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        Sigv4Request request = s3_request("GET", "", queries[i], headers, 2);
        assert_signed(&request, &s3_keys,
                      S3_CREDENTIAL
                      "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                      "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    }
}

static void an_address_is_signed_as_in_the_reference(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf query = BUF_INIT(4096);
    const Sigv4Header headers[] = {HOST};
    Sigv4Request request = s3_request("GET", "/test.txt", "", headers, 1);
    request.payload_hash = STR(SIGV4_UNSIGNED);
    assert_int_equal(sigv4_presign(&request, &s3_keys, 86400, &query, &err), 0);
    assert_string_equal(
        query.data,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-"
        "east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-"
        "SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    assert_int_equal(sigv4_presign(&request, &s3_keys, 0, &query, &err), -1);
    error_reset(&err);
    assert_int_equal(sigv4_presign(&request, &s3_keys, SIGV4_EXPIRES_MAX_S + 1, &query, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void the_suite_is_signed_as_published(void **state)
{
    (void)state;
    const Sigv4Header headers[] = {{"Host", STR("example.amazonaws.com")}};
    Sigv4Request request = {
        .method = "GET",
        .path = STR("/"),
        .headers = headers,
        .n_headers = 1,
        .payload_hash = STR(SIGV4_EMPTY),
        .region = "us-east-1",
        .service = "service",
        .now_us = instant("2015-08-30T12:36:00Z"),
    };
#define SUITE                                                                                      \
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "            \
    "SignedHeaders=host;x-amz-date, Signature="
    assert_signed(&request, &suite_keys,
                  SUITE "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    request.query = STR("Param2=value2&Param1=value1");
    assert_signed(&request, &suite_keys,
                  SUITE "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

static void a_path_is_encoded_once_and_whole(void **state)
{
    (void)state;
    auto_buf Buf path = BUF_INIT(200);
    sigv4_add_path(&path, STR("/b/2025-01-01T10:00:00+00:00_t\xc3\xa9 %2F~(1)*'!&=?"));
    assert_string_equal(path.data, "/b/2025-01-01T10%3A00%3A00%2B00%3A00_t%C3%A9%20%252F~%281%29%2A"
                                   "%27%21%26%3D%3F");
}

static void keys_that_are_not_well_formed_are_refused_and_not_shown(void **state)
{
    (void)state;
    const Sigv4Header headers[] = {HOST};
    Sigv4Request request = s3_request("GET", "/", "", headers, 1);
    char secret[400];
    memset(secret, 's', sizeof(secret));
    const Sigv4Keys keys[] = {{.access_key = STR("A"), .secret_key = {secret, sizeof(secret)}},
                              {.access_key = STR("A"), .secret_key = STR("")},
                              {.access_key = STR("A/B"), .secret_key = STR("sss")}};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        auto_error Error err = ERROR_INIT;
        auto_buf Buf text = BUF_INIT(4096);
        assert_int_equal(sigv4_sign(&request, &keys[i], &text, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_null(strstr(error_text(&err), "sss"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_a_range_of_an_object_is_signed_as_in_the_reference),
        cmocka_unit_test(writing_an_object_is_signed_as_in_the_reference),
        cmocka_unit_test(a_parameter_without_a_value_is_signed_as_in_the_reference),
        cmocka_unit_test(parameters_are_sorted),
        cmocka_unit_test(an_address_is_signed_as_in_the_reference),
        cmocka_unit_test(the_suite_is_signed_as_published),
        cmocka_unit_test(a_path_is_encoded_once_and_whole),
        cmocka_unit_test(keys_that_are_not_well_formed_are_refused_and_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
