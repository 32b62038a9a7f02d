/**
 * What a real publisher sent: sttpapi 0.7.6 on 2026-07, 6 signals of known values in TSSC, every frame of its command
 * channel in order (gzip, base64).
 */
export const SESSION =
  'H4sIAAAAAAACA4WZC1xM2R/Az1SY8ZxKGjU1tyaMRWZZNpqt25NQQiGRSaWiTQ95pm7JOyKWjdCiRMkzG3lcCVn50+a9/zTbsg+7drP++0r4n3tn' +
  'ajv33s6ke02f3/k9vr9zfr9z7h0AwFSqKwBgErzGTwsKCiSWjCAi4mKj4hcTEYvi46MiFscuiifCIyKiEhZHRY4lkqISU6KS4UdiUUJUUjgjDY8j' +
  'Pl0UGZVMhCckQM1IZwDMNJQI3kcrNonBwA9FC03eN4SELmpy6ZvWOHfb7YmK6Vt7qOt9riuDfnSeGvs41+PgqpC86sJtFnvK9w5++1fED10l22oK' +
  'T5fs7LYx586YP8c0ngvpMrd3eMGqG9lvdkwqK720vDC8aeqdQZU3g532rXg4Y65uuHat2awI0ZWMnHNvsr0O/fPUe/LN8wPLpW5uzRveDa1Oi5MN' +
  'Hz787S6P/af2hu8pikoNfXos4ly2taLaO0fmd/9V2I+V2UktTiuce93IPWKdNPnFw++8EimvSVm+getzfrgemrtKoVv9+vyNmy15Lc4PPPdrKuKr' +
  'n+2dNKdHnUOoT+REZVP48akj3zmviZ5JuBdPv/Pq8rbF5mXSS4ftw2oX+49/uqFsWZftW+5NXLqtKOezLgG1Z9Oem6x76+7YWD/qoOfPM5puWTaG' +
  '/Wb6eqmbx5XdvrXXrMtnHJnZbPvBHA8zr8xTllahE0yzx9vZTZO4Lu8Vujd9+OVQScAc6+Sw5iOTve1uWs1Lqnv+9RDfLimxd1t+/3LSu2+H1D54' +
  'VFi9MP7q5p6x3mGVspNXqg+WVq51apxV2bQld+9wx9+CnlwtUxwo2OliYXfI2ls70Jx4ZHUq9exoz++3kmUVr8/FDHAfFGOrPT6nZVXDLcdNF7sl' +
  'vTD1S0yNup13YUox5XvOzWbcW6voYR82mW8aPGxInIXznKoyX7tjFqFvXEM+aLwkPl5cG9Lt5djZL8zdw4ta73uMO7ziz2yXKD/rkJpLK2LCts7/' +
  'vLK2sWTogm5Hv/I+cOqsf/cLe1r9NA0jUp58VPnrT0vWnXWJGXAkboFdzkunKFn3MeZH1JNmN1yP3mvx7eXsokj7RqfT6d8lTHj+68GETY99vPbM' +
  'vlcT/ffY/JuvRZn1V+wyIy3WzW/5KTi1UNFDNnhkTdeXY+eNVictCcw/9NnFa1dkbl9QEdodxYT/0IqKpd/n9ClJn/+6l3qEY+Brs+whtg0Lw+L2' +
  'XShxzIxLXbPfKr3Ftq/vtJRN9X6WZXbRXbJNJDsG+rmoM6YUZTSdER/++NYY9QTvrX3mnfjrTcp7S/UWs63+IQnN59xzXR9bHFpj3b2fX/0pq5rt' +
  '4EnRJ7/kTb9zxi5ZPXpdRPK9L3+pa/z6nzF91Bvv7u/VPyQuaEVlRZdDtvUvT/bs+fxe6atdmfOKL5VN9HC4uOv06tLT+/f9VaIM+b1X4IvGw/kX' +
  'v7k8IurGqsCYB81/Ju4b+bxffkpE8RaNMnP7zj3d+ucExxYl3Uq0jmwYdW3w3EtWaVbrL1qtX5IsPXaLmJXiMXvYsU2q+OnpzgsLYkb51LW4qHrv' +
  'Phgz17eubHPTmX4b6/dnHHibGCgfPS4xof+1K66q4tU5pk3FY9ZfvUX0bvTysEuT93UfNS5xcf9rdStVxQffK67VR6f2nDh2wYN1I9KCr24uXBv7' +
  'R4/qHOXNXZrcJmt167DEXlsapqQ9rIqscVWuzk3uEf/pgpV1d6tWWmZWmVrMGlG5se/yJVPomneSP0wlPSs9y20A89OVMgH6H+1q5tMs8G8ridBq' +
  'K6oqCpf6RZbXbygblHdh3f3bqf1lskcyHZ3xRYZoiNZ7e7T39gjP7dGeud1O5tU9y9v2zCOu30fL+zktl+6x8t9n5bfPCvxO3d7xSO9jZCbjY5iY' +
  'cRwMgDlF1Za/OF38UpyTA8AKb3hrgTfK1Yf504cCZL4PozaIVXMwqIlE4eb1pUNfAUC5nQTSAspGRBaQNoBghjqxQ+0NQ03Md/6vrz3skLKTQH0S' +
  'yApoGxFdoIVCgh1nYxhnKrEDgLQFUhsRBU1Be4wxR3aM3DDGTAzH0LYgwRa42AI5/LUR63iWujCjCK4lO3aMtWFMV8ab9gRQAxmdRRNMOHJ2QD/D' +
  'gG6skSogpaQkmUXwnIjFCgB06UdBM1gGNEATD+x5NiSME2lHG6i8uxjOiZqJwZOmxUwMtqzcyiDvoYHqQOpAkWKS4DP0lNwHIAH+cwFyaFnH0+/F' +
  '1Ufd95bg3ffhqitYcX+DWDoSgGYKKI6Av0EqSD0D3HgezCXynoDqaAL1YOEKlwUTgJj2oPkBWCozGO0syoEkzfj8fRl+Fwy/FVcfFffjekeDt+YF' +
  'b8/KZQa5bCyAUw+nv4iZ/7sC89/fCL4NHt9WH74ns3oy+fhyyc8d8M34+HZcfVRs72bwLqXpTD6+QiLvzqhLKTKLlPJrkVDSgFJkgHSaUrh0p9NB' +
  'K3hH8Zw4wBjIjjGgThwl8t6A7hgEqq7kqqMpcPoEGtRnQAvkOopnfwADQXaEQO0PhPah+yrYBaQCS2AQTx31r4L+NfoOEAQ/2PPsD8bjf2AEfwge' +
  'f6jyfDt/FeTn6Q+TOLTrZ/Hpnccn6L23tUAbVtzXIB4+PpDRprJIB5Jf/mqmuaV6AgX4u5Spf7b8UQMfcgyge8gIiaWIAHSACKjhJQsQmdE6EfxT' +
  'yo9kJMcQmoaPxqW0pwHIs/hpGIVPw2h8Gj7mOEe7gAuTBs39tm2AXQOo/hiOPup8LNc5Knblho6ia4yhf4JHd8Oju3NCd2CltgYpyaC3ksBdN4iC' +
  '5S+iFSCNZ8IDmiA6pfeE/rWd03vB6ImO0aPl4z1+IdC1wbMHAdS3D9a3LzSu7Vj7qPI4jjI67eOZxNu3zbpWoPT9uLGj4gl48ol48klGyP2x5AF4' +
  '8skqHHmgshgAt2Cm7tvLHjU/ReLJ6LPbrpjvfaqKQ456n8bxji74IImXHnwmQ07yyYNVOPLpUJ31nUU7CJDPwJLPZNqtYc5PCLb7EDz5LDx5KJZ8' +
  'tjHyOVjyMBV2vc3lRq5kxXYGsVZ5GIC0AND8XkQpaFoRAFrNdAqelXAVfAQwo9jzjkAM89jsy/7NPiqO4GqrWLGjQRwpsTQhgS7fBLgw124TIPeH' +
  '1yATMb/tReEDmc8mQ9ZZMqIlJCDuOlCUmPQUWAcx+nWwrPN1EIt3vwCfh4VcbbT241RM7bt0qH1U/VNu9Kg4Hs++CM+ewLC7wdKHxX9CsPoT8exJ' +
  'ePZkPPtiI+wpePYlePalXOco+zJmv7O/r594wXlfjmdfgWdfiWdPNcK+Cs+eppqpdw4f9gSOWOkquOFQYsqTFDrsUxJ7E6BzN6MU5pQ7aKXpdK3A' +
  'Xp8BbUg72EADyIQBqDsPYLXEA0ihLkVKBeCzVMHsdvfvOQfVXoN1vRZ2N+i6sw1vHUcZbbzroTLs+SWdHvA2YH1vxGNvwmJnG8HejHW9BY+dw1FG' +
  'V/tWZTlgN3lY6TMFj/fbOKGjznPx3Nux3Ds6cmfyuT9Ts2ej9seyAaxUYZDulFgSFFDnE0DmDy81QbO//CB2ccygE/+5GjQfbav2AoFyz5NkMs+G' +
  'cMclSIL/7LtbDdQnDN1GIAN7sM7zJWv0GWC3e4Kfgr0cdTSB+6C6Wt9qCFpL8bT3c7TRk32B8hAA7mLKvTelMKFhwReAdzy8L/D0B/D0B7H0h4zR' +
  'F3LUUd9FXN+o+DA3ctR5MX/eUedHsKk/aiT1JVjyUmPkx7DkZXjy41xytOZPdKj5IMGaP4lFP2UE/TRW+4waJJS0Fb3A+6xy/II7i284X3IaDpr2' +
  'CthwmtvmXCsw5+ewnfY8vtNWcpRR7gtGmvxFbJ+9hMe+zHGNnutp5kiTTlAKjZh6rwCtOrXgQ/wVvRGyzQgqrVKFsw8WYtpTgP2qIXpSsNFXG9jl' +
  'nbBf42ij0utYzzc4UaPffNRILCnKjATNAfA/sGwgvO8AGuazppC9Mzf+OriJTcVX2IBuYVNRayQVtzme0WXwH3i2ZN8kCy+DOxxl9F3eXWYZKI4a' +
  'nuhTaYHCr8Nyf43lrsdy3zPCfR/L/QDP/ZCjjFb9I0PVazqr+sfY5feknVro9f03+nZFtrcrFPu/hm4nb+92qPEGddvrHyHsp5K1htfGgrtrI0cZ' +
  '3d517PZuzry0g8/y40CrSOfOM/GtJMvwzYWHAHoT3GfCO6Cj0u/Uba8ShL63egYTAye8VI8u5aM/56ij0u+xrn/ghI26/hFu7cFtEx4oMOE/Yalf' +
  'YF3/jKX+xRj1Syz1r1jXv3UM+/80AUyc6SIAAA=='

/** Measurements in it: 240 frames of 6 signals. */
export const MEASUREMENTS = 1440
