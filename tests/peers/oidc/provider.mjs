// A real OpenID provider for tests: device flow, PKCE, rotating refresh tokens, JWT access tokens for "hawk".
// usage: node provider.mjs PORT; prints "ready" once it listens. Who logs in as NAME has the groups in GROUPS_OF[NAME].
import { createHash } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const lifetime = Number(process.env.ACCESS_TOKEN_SECONDS ?? 3600);
const GROUPS_OF = {
  ada: ['model-access-public', 'model-access-secret'],
  bob: ['model-access-public'],
  reader: ['model-access-public:read'],
  admin: ['model-access-public', 'hawk-admin'],
};

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'hawk-cli',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://localhost:18922/callback', 'http://127.0.0.1/oauth/complete'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
    },
  ],
  cookies: { keys: [createHash('sha256').update(issuer).digest('hex')] },
  pkce: { required: () => true, methods: ['S256'] },
  scopes: ['openid', 'email', 'offline_access'],
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: lifetime, RefreshToken: 86400, DeviceCode: 600, IdToken: 3600, Grant: 86400, Session: 86400, Interaction: 3600 },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'https://hawk.example.org',
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'openid email offline_access',
        audience: 'hawk',
        accessTokenFormat: 'jwt',
        accessTokenTTL: lifetime,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  extraTokenClaims: (ctx, token) => ({
    permissions: GROUPS_OF[token.accountId] ?? [],
    email: `${token.accountId}@example.org`,
  }),
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.org` }) }),
});
// RFC 8628 lets the interval be left out; the Python hawk's client wants it.
provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === 'device_authorization' && ctx.status === 200) ctx.body.interval = 1;
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
